"""What is mounted in a lab: where it lies, and whose the directories are that lead to it."""

from __future__ import annotations


def made(host, name):
    (host.path / name).mkdir()
    return str(host.path / name)


def test_what_leads_to_mounts_is_the_owners(host):
    """In the home directory, where programs keep their caches, and in the work on the host."""
    source = made(host, "data")
    (host.path / "a.csv").write_text("1,2")
    targets = [".cache/huggingface", ".local/share/deep/sets", "work/data/sets"]
    mounts = [{"source": source, "target": f"/home/jovyan/{target}"} for target in targets]
    mounts.append({"source": str(host.path / "a.csv"), "target": "/home/jovyan/work/tables/a.csv"})
    host.labs(host.lab(owner="4321:4321", mounts=mounts))
    server = host.server()
    kernel = server.start_kernel()
    for place in (".cache", ".local", ".local/share", ".local/share/deep", "work/data", "work/tables"):
        server.execute(kernel, f"open('/home/jovyan/{place}/mine', 'w').close()")
    work = host.path / "work" / host.name()
    assert {path.stat().st_uid for path in (work, *work.rglob("*"))} == {4321}
    assert not host.labs(host.lab(owner="4321:4321", mounts=mounts))["changed"]


def test_what_the_image_has_in_the_home_directory_keeps_its_mode(host):
    image = f"{host.name()}-image"
    says = "mkdir -m 700 ~/.ssh && mkdir -p ~/real/deep && ln -s real ~/link"
    container = host.engine.create_container(host.image, ["sh", "-c", says], entrypoint=[])["Id"]
    host.engine.start(container)
    host.engine.wait(container)
    host.engine.commit(
        container, image, changes=['ENTRYPOINT ["tini","-g","--","start.sh"]', 'CMD ["start-notebook.py"]']
    )
    host.engine.remove_container(container)
    source = made(host, "data")
    targets = ["/home/jovyan/.ssh/keys", "/home/jovyan/link/deep/x"]
    try:
        host.labs({**host.lab(mounts=[{"source": source, "target": target} for target in targets]), "image": image})
        server = host.server()
        say = "import os; print(oct(os.stat('/home/jovyan/.ssh').st_mode), os.path.islink('/home/jovyan/link'))"
        assert server.execute(server.start_kernel(), say) == "0o40700 True\n"
    finally:
        host.clean()
        host.engine.remove_image(image)


def test_no_link_is_followed_out_of_the_work_directory(host):
    elsewhere, work = host.path / "elsewhere", host.path / "work" / host.name()
    elsewhere.mkdir()
    work.mkdir(parents=True)
    (work / "sly").symlink_to(elsewhere)
    mount = {"source": made(host, "data"), "target": "/home/jovyan/work/sly/deep"}
    host.labs(host.lab(owner="1000:100", mounts=[mount]))
    assert not list(elsewhere.iterdir())


def test_the_home_directory_of_another_name_is_the_owners(host):
    lab = host.lab(start_as_root=True, owner="4321:4321", env={"NB_USER": "ana"})
    host.labs(lab)
    server = host.server()
    say = "import os; open('/home/ana/mine', 'w').close(); print(os.path.exists('/home/ana/.bashrc'))"
    assert server.execute(server.start_kernel(), say) == "True\n"
    assert not host.labs(lab)["changed"]


def test_what_is_mounted_below_the_home_directory_stays_where_it_is(host):
    data = host.path / "data"
    data.mkdir()
    (data / "large.csv").write_text("1,2")
    mounts = [
        {"source": str(data), "target": target, "read_only": True}
        for target in ("/home/jovyan/datasets", "/home/jovyan/deep/er/datasets")
    ]
    host.labs(host.lab(mounts=mounts))
    assert [step["action"] for step in host.labs(host.lab(mounts=mounts, env={"A": "b"}))["steps"]] == ["replace"]
    saved = "cd /home/jovyan/deep && printf own > own.txt && ln own.txt same.txt"
    host.engine.exec_start(host.engine.exec_create(host.name(), ["sh", "-c", saved], user="root"))
    host.labs(host.lab(mounts=mounts))
    (rescued,) = (host.path / "work" / host.name()).glob("rescued-*")
    assert {path.name for path in rescued.rglob("*")} == {"deep", "er", "own.txt", "same.txt"}
    assert (rescued / "deep/same.txt").read_text() == "own"

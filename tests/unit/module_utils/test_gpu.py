"""GPUs, read out of what nvidia-smi and the driver print, and found where a host shows them."""

from __future__ import annotations

import pytest

from ansible_collections.myjupyter.fleet.plugins.module_utils import _gpu, _nvidia

WHOLE = """\
GPU 0: NVIDIA GeForce RTX 3090 (UUID: GPU-eaf23aa1-4d3d-596c-da66-b86b0e5db584)
GPU 1: Tesla V100-SXM2-16GB (UUID: GPU-2d7c1e4e-0b42-b3a7-67d1-4b9c9a7a1f10)
"""
PARTS = """\
GPU 0: NVIDIA A100-SXM4-40GB (UUID: GPU-5c89852c-d268-c3f3-1b07-005d5ae1dc3f)
  MIG 1g.5gb      Device  0: (UUID: MIG-1c5876e6-d3b9-524a-9eb4-664fcfbd4de2)
  MIG 2g.10gb     Device  1: (UUID: MIG-934fe587-ac95-5d75-bf9e-f40befeb9b28)
GPU 1: NVIDIA A100-SXM4-40GB (UUID: GPU-9e13f17f-a213-eb38-9a9c-0b2a540e4908)
"""
# Drivers before 470 name parts after their GPU.
OLD_PARTS = """\
GPU 0: A100-SXM4-40GB (UUID: GPU-5c89852c-d268-c3f3-1b07-005d5ae1dc3f)
  MIG 1g.5gb Device 0: (UUID: MIG-GPU-5c89852c-d268-c3f3-1b07-005d5ae1dc3f/7/0)
"""
LOST = """\
Unable to determine the device handle for GPU0000:0A:00.0: GPU is lost.  Reboot the system to recover this GPU
GPU 1: NVIDIA L4 (UUID: GPU-82523fd8-3897-f599-d088-ccd04ae45ec1)
"""
FACTS = """\
Model: \t\t {model}
IRQ:   \t\t 77
GPU UUID: \t {uuid}
Video BIOS: \t 94.02.26.40.81
Bus Type: \t PCIe
Bus Location: \t {place}
Device Minor: \t 0
GPU Excluded:\t No
"""


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (WHOLE, [("0", "GPU-eaf23aa1-4d3d-596c-da66-b86b0e5db584", "NVIDIA GeForce RTX 3090", ""),
                 ("1", "GPU-2d7c1e4e-0b42-b3a7-67d1-4b9c9a7a1f10", "Tesla V100-SXM2-16GB", "")]),
        (PARTS, [("0:0", "MIG-1c5876e6-d3b9-524a-9eb4-664fcfbd4de2", "NVIDIA A100-SXM4-40GB MIG 1g.5gb",
                  "GPU-5c89852c-d268-c3f3-1b07-005d5ae1dc3f"),
                 ("0:1", "MIG-934fe587-ac95-5d75-bf9e-f40befeb9b28", "NVIDIA A100-SXM4-40GB MIG 2g.10gb",
                  "GPU-5c89852c-d268-c3f3-1b07-005d5ae1dc3f"),
                 ("1", "GPU-9e13f17f-a213-eb38-9a9c-0b2a540e4908", "NVIDIA A100-SXM4-40GB", "")]),
        (OLD_PARTS, [("0:0", "MIG-GPU-5c89852c-d268-c3f3-1b07-005d5ae1dc3f/7/0", "A100-SXM4-40GB MIG 1g.5gb",
                      "GPU-5c89852c-d268-c3f3-1b07-005d5ae1dc3f")]),
        (LOST, [("1", "GPU-82523fd8-3897-f599-d088-ccd04ae45ec1", "NVIDIA L4", "")]),
        ("No devices found.\n", []),
        ("Failed to initialize NVML: Driver/library version mismatch\n", []),
        ("NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.\n", []),
        ("", []),
    ],
)  # fmt: skip
def test_what_nvidia_smi_lists(text, told):
    assert [(item.index, item.uuid, item.name, item.whole) for item in _gpu.listed(text)] == told


def test_what_the_driver_describes_comes_in_the_order_of_the_bus():
    later = FACTS.format(model="NVIDIA L4", uuid="GPU-b", place="0000:61:00.0")
    first = FACTS.format(model="NVIDIA A10G", uuid="GPU-a", place="0000:00:1e.0")
    asleep = FACTS.format(model="NVIDIA L4", uuid="GPU-????????-????-????-????-????????????", place="0000:62:00.0")
    found = _gpu.described([later, first, asleep, "", "Model: odd\n"])
    assert [(item.index, item.uuid, item.name) for item in found] == [
        ("0", "GPU-a", "NVIDIA A10G"), ("1", "GPU-b", "NVIDIA L4")
    ]  # fmt: skip


def test_how_busy_they_are():
    text = "GPU-a, 37, 1024, 23034\nGPU-b, [N/A], 512, 40960\nGPU-c, [Not Supported], [N/A], [N/A]\nodd\n"
    assert _gpu.measured(text) == {
        "GPU-a": _gpu.Usage(37, 1024 * 2**20, 23034 * 2**20),
        "GPU-b": _gpu.Usage(None, 512 * 2**20, 40960 * 2**20),
        "GPU-c": _gpu.Usage(),
    }


@pytest.mark.parametrize(
    ("vendor", "kind", "driver", "is_one"),
    [
        ("0x10de\n", "0x030000\n", "", True),
        ("0x10de", "0x030200", "nvidia", True),
        ("0x10de", "0x030000", "nouveau", True),
        ("0x10de", "0x030200", "vfio-pci", False),
        ("0x10de", "0x040300", "snd_hda_intel", False),
        ("0x8086", "0x030000", "i915", False),
    ],
)
def test_a_card_is_known_by_vendor_and_class(vendor, kind, driver, is_one):
    assert _gpu.is_card(vendor, kind, driver) is is_one


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A root with a card, its sound, and somebody else's card; nvidia-smi is what a test puts on the path."""
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr(_nvidia, "PLACES", "")
    cards = [("01:00.0", "0x10de", "0x0300"), ("01:00.1", "0x10de", "0x0403"), ("02:00.0", "0x8086", "0x0300")]
    for place, vendor, kind in cards:
        folder = tmp_path / "sys/bus/pci/devices" / f"0000:{place}"
        folder.mkdir(parents=True)
        (folder / "vendor").write_text(f"{vendor}\n")
        (folder / "class").write_text(f"{kind}00\n")
    return tmp_path


def program(root, name, script):
    path = root / "bin" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def test_a_host_without_a_driver_shows_its_card_alone(root):
    assert _nvidia.look(str(root)) == _gpu.Hardware(cards=("0000:01:00.0",))
    assert _nvidia.look(str(root / "nothing")) == _gpu.Hardware()
    assert not _nvidia.has_toolkit() and _nvidia.usage() == {}


def test_nvidia_smi_comes_before_the_driver_and_the_driver_serves_without_it(root):
    folder = root / "proc/driver/nvidia/gpus/0000:01:00.0"
    folder.mkdir(parents=True)
    (folder / "information").write_text(FACTS.format(model="NVIDIA L4", uuid="GPU-proc", place="0000:01:00.0"))
    assert [item.uuid for item in _nvidia.devices(str(root))] == ["GPU-proc"]
    program(root, "nvidia-smi", "echo 'Failed to initialize NVML'; exit 18")
    assert [item.uuid for item in _nvidia.devices(str(root))] == ["GPU-proc"]
    program(root, "nvidia-smi", "echo 'GPU 0: NVIDIA L4 (UUID: GPU-smi)'")
    program(root, "nvidia-container-runtime-hook", "")
    found = _nvidia.look(str(root))
    assert [item.uuid for item in found.devices] == ["GPU-smi"] and found.hook and _nvidia.has_toolkit()

#!/bin/sh
# Run on a host: a signed repository laid out as Docker's own is, served at 127.0.0.1:8080, whose docker-ce is the
# distribution's docker.io under that name. For where Docker's cannot be reached. $1: version, $2: codename
set -eu
version=$1 codename=$2
arch=$(dpkg --print-architecture)
apt-get -qq install --yes gpg gpg-agent > /dev/null
cd "$(mktemp -d)"
top=/srv/repository/debian
index=stable/binary-$arch
mkdir -p "$top/pool" "$top/dists/$codename/$index"

dpkg-deb --raw-extract /var/cache/apt/archives/docker.io_*.deb docker-ce
sed -i -e 's/^Package:.*/Package: docker-ce/' -e "s/^Version:.*/Version: $version/" \
    -e 's/^\(Conflicts\|Replaces\|Breaks\|Provides\|Source\):.*/X-\1: none/' docker-ce/DEBIAN/control
printf 'Conflicts: docker.io\nReplaces: docker.io\n' >> docker-ce/DEBIAN/control
for name in docker-ce-cli containerd.io docker-buildx-plugin; do
    mkdir -p "$name/DEBIAN"
    printf 'Package: %s\nVersion: %s\nArchitecture: %s\nMaintainer: Tests <tests@example.com>\nDescription: A test\n' \
        "$name" "$version" "$arch" > "$name/DEBIAN/control"
done
for name in docker-ce docker-ce-cli containerd.io docker-buildx-plugin; do
    dpkg-deb --build -Znone "$name" "$top/pool/$name.deb" > /dev/null
done

cd "$top"
for file in pool/*.deb; do
    dpkg-deb --field "$file"
    printf 'Filename: %s\nSize: %s\nSHA256: %s\n\n' "$file" "$(stat -c %s "$file")" "$(sha256sum "$file" | cut -d' ' -f1)"
done > "dists/$codename/$index/Packages"
cd "dists/$codename"
{
    printf 'Suite: %s\nCodename: %s\nComponents: stable\nArchitectures: %s\nDate: %s\nSHA256:\n' \
        "$codename" "$codename" "$arch" "$(date -Ru)"
    printf ' %s %s %s\n' "$(sha256sum "$index/Packages" | cut -d' ' -f1)" "$(stat -c %s "$index/Packages")" "$index/Packages"
} > Release
gpg --batch --quiet --passphrase '' --quick-generate-key tests@example.com
gpg --batch --quiet --clearsign --output InRelease Release
gpg --armor --export > "$top/gpg"
cd /srv/repository
setsid python3 -m http.server --bind 127.0.0.1 8080 > /dev/null 2>&1 < /dev/null &

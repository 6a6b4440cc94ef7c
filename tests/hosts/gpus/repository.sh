#!/bin/sh
# Run on a host: a signed repository laid out as NVIDIA's own is, served at port 8081, whose nvidia-container-toolkit
# holds what stands in for NVIDIA's hook and runtime. $1: the folder with the hook
set -eu
arch=$(dpkg --print-architecture)
apt-get -qq install --yes gpg gpg-agent > /dev/null
top=/srv/nvidia
index=$top/stable/deb/$arch
package=$(mktemp -d)
mkdir -p "$index" "$package/DEBIAN" "$package/usr/bin"

cp "$1/nvidia-container-runtime-hook" "$package/usr/bin"
printf '#!/bin/sh\nexec runc "$@"\n' > "$package/usr/bin/nvidia-container-runtime"
chmod 755 "$package" "$package/usr/bin/"*
printf 'Package: nvidia-container-toolkit\nVersion: 1.17.8-1\nArchitecture: %s\n' "$arch" > "$package/DEBIAN/control"
printf 'Maintainer: Tests <tests@example.com>\nDescription: A test\n' >> "$package/DEBIAN/control"
dpkg-deb --build -Znone "$package" "$index/toolkit.deb" > /dev/null

cd "$index"
{
    dpkg-deb --field toolkit.deb
    printf 'Filename: ./toolkit.deb\nSize: %s\nSHA256: %s\n\n' "$(stat -c %s toolkit.deb)" \
        "$(sha256sum toolkit.deb | cut -d' ' -f1)"
} > Packages
printf 'Architectures: %s\nDate: %s\nSHA256:\n %s %s Packages\n' "$arch" "$(date -Ru)" \
    "$(sha256sum Packages | cut -d' ' -f1)" "$(stat -c %s Packages)" > Release
gpg --batch --quiet --passphrase '' --quick-generate-key tests@example.com
gpg --batch --quiet --clearsign --output InRelease Release
gpg --armor --export > "$top/gpgkey"
cd "$top"
setsid python3 -m http.server 8081 > /dev/null 2>&1 < /dev/null &

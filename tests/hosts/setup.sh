#!/bin/sh
# Make a host out of a bare root file system; runs inside it. $1: packages it has, $2: packages to keep at hand.
set -eu
export DEBIAN_FRONTEND=noninteractive
rm -f /etc/apt/apt.conf.d/docker-clean
echo force-unsafe-io > /etc/dpkg/dpkg.cfg.d/test-host
printf 'APT::Install-Recommends "false";\n' > /etc/apt/apt.conf.d/90-few-packages
find /etc/apt/sources.list.d -type f ! -name debian.sources -delete
apt-get -qq update
apt-get -qq install --yes $1 > /dev/null
update-ca-certificates > /dev/null 2>&1
# Fetched once for all hosts of this release: an install then comes from the disk.
apt-get -qq install --yes --download-only $2 > /dev/null

useradd --create-home --shell /bin/bash admin
printf 'admin ALL=(ALL) NOPASSWD: ALL\n' > /etc/sudoers.d/admin
install -d -m 0700 -o admin -g admin /home/admin/.ssh
# Nothing that a host in a container cannot do, and nothing that would slow its boot.
if [ -d /lib/systemd/system ]; then
    systemctl mask -q systemd-logind.service systemd-udevd.service getty.target console-getty.service \
        apt-daily.timer apt-daily-upgrade.timer e2scrub_all.timer fstrim.timer dpkg-db-backup.timer
    systemctl set-default -q multi-user.target
fi

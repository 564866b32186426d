#!/bin/sh
# Process 1 of the machine: devices, qemu's user network, and a shell for the story over the port "story": a number and a
# command in base64 on one line, answered by the number, the exit status and the output in base64.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C
mount -t devtmpfs dev /dev
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t tmpfs run /run
mkdir -p /dev/pts /run/lock
mount -t devpts pts /dev/pts
# shellcheck disable=SC2046
modprobe -a $(cat /mnt/modules)
echo watched >/proc/sys/kernel/hostname
# Addresses of the guest and of this machine in it: qemu(1), "-netdev user".
busybox ip link set lo up
busybox ip link set eth0 up
busybox ip address add 10.0.2.15/24 dev eth0
busybox ip route add default via 10.0.2.2
tr -d - </proc/sys/kernel/random/uuid >/etc/machine-id
until name=$(grep -lsx story /sys/class/virtio-ports/*/name); do sleep 0.1; done
port=/dev/$(basename "${name%/name}")
while :; do
    # It is at its end when nobody is at the other end.
    while read -r number line; do
        echo "$line" | base64 -d >/run/command
        sh /run/command >/run/said 2>&1 </dev/null
        echo "$number $? $(base64 -w 0 /run/said)"
    done
    sleep 0.1
done <>"$port" >&0

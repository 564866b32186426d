#!/bin/sh
# Run inside a fresh tree of Debian bookworm: gives it Debian's kernel, as few of its modules as are needed, and what finds
# the tree on a disk. $1: modules it boots with; $2: modules that may be loaded later.
set -eu
export LC_ALL=C PATH=/usr/sbin:/usr/bin:/sbin:/bin
mkdir /kernel
cd /kernel
apt-get -q update
package=$(apt-cache depends linux-image-amd64 | sed -n 's/.*Depends: \(linux-image-[0-9]\)/\1/p')
apt-get -q -o APT::Sandbox::User=root download "$package"
dpkg -x ./*.deb .
version=${package#linux-image-}
cp "boot/vmlinuz-$version" /boot/vmlinuz
depmod -b /kernel "$version"

# keep TREE MODULE...: with all that they need.
keep() {
    tree=$1
    shift
    modprobe -d /kernel -S "$version" --show-depends -a "$@" | sed -n 's,^insmod /kernel/\([^ ]*\).*,\1,p' | sort -u |
        while read -r file; do mkdir -p "$tree/${file%/*}" && cp "$file" "$tree/$file"; done
    cp "lib/modules/$version/modules.builtin" "lib/modules/$version/modules.order" "$tree/lib/modules/$version/"
    depmod -b "$tree" "$version"
}
# shellcheck disable=SC2086
keep / $1 $2
# shellcheck disable=SC2086
keep /kernel/early $1

cd early
mkdir -p bin dev proc sys new
cp /usr/bin/busybox bin/busybox
cat >init <<END
#!/bin/busybox sh
# The tree is on the first disk, what belongs to this run on the second.
/bin/busybox --install -s /bin
mount -t devtmpfs dev /dev && mount -t proc proc /proc && mount -t sysfs sys /sys
modprobe -a $1
until [ -b /dev/vda ] && [ -b /dev/vdb ]; do sleep 0.1; done
mount -t ext4 /dev/vda /new && mount -t ext4 -o ro /dev/vdb /new/mnt
exec switch_root /new /mnt/init
END
chmod +x init
find . | busybox cpio -o -H newc 2>/dev/null | gzip -1 >/boot/initrd
cd /
rm -rf /kernel /var/lib/apt/lists /var/cache/apt /usr/share/doc /usr/share/man /usr/share/locale

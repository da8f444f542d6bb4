#!/bin/bash
# Builds the stand-ins for the official images, where those cannot be pulled, and names them in ../standins.env.
#
# They hold the real servers, from the files that `millrace up` has fetched and checked against crates/servers/locks; so start it
# once before (`make up` or `make test`). The base is made by debootstrap. Root, about two minutes the first time.
set -euo pipefail
cd "$(dirname "$0")"
export DOCKER_BUILDKIT=0
cache=${MILLRACE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/millrace}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

base() {
    docker image inspect local/debian:bookworm > /dev/null 2>&1 && return
    local root=$work/root
    debootstrap --variant=minbase --include=ca-certificates bookworm "$root" > "$work/log" 2>&1 || { tail -20 "$work/log"; exit 1; }
    printf 'path-exclude=/usr/share/%s/*\n' doc man locale > "$root/etc/dpkg/dpkg.cfg.d/no-documents"
    tar -C "$root" --exclude='./var/cache/apt/*' --exclude='./var/lib/apt/lists/*' --exclude='./usr/share/doc/*' \
        --exclude='./usr/share/man/*' --exclude='./usr/share/locale/*' --exclude='./dev/*' --exclude='./proc/*' --exclude='./sys/*' -c . \
        | docker import -c 'CMD ["bash"]' -c 'ENV LANG=C.UTF-8' - local/debian:bookworm > /dev/null
    rm -rf "$root"
}

image() { # name: builds its folder together with what was put into $work/name
    mkdir -p "$work/$1"
    cp -r "$1/." "$work/$1"
    chmod -R a+rX "$work/$1"
    find "$work/$1" -maxdepth 1 -name 'run-*' -exec chmod 755 {} +
    docker build -q -t "millrace-standin/$1" "$work/$1" > /dev/null || { echo "the stand-in $1 was not built" >&2; exit 1; }
    rm -rf "${work:?}/$1"
}

missing() { echo "$1 is not there: start \`make up\` or \`make test\` once, or set MILLRACE_CACHE" >&2; exit 1; }
of_lock() { grep -v '^#' "../../crates/servers/locks/$1.lock"; }

jars() { # lock name: the jars that a lock names
    local path
    mkdir -p "$work/$1/libs"
    while read -r _ path _; do
        cp "$cache/jars/$1/$(basename "$path")" "$work/$1/libs/" 2> /dev/null || missing "$cache/jars/$1/$(basename "$path")"
    done < <(of_lock "$1")
}

unpacked() { # lock name/to: what was unpacked from the one archive that a lock names
    local from
    from=$cache/$1-$(of_lock "$1" | awk '{print substr($3, 1, 12)}')
    [ -d "$from" ] || missing "$from"
    mkdir -p "$(dirname "$work/$2")"
    cp -r "$from" "$work/$2"
}

base
mkdir -p "$work/java/ca"
cp /usr/local/share/ca-certificates/*.crt "$work/java/ca/" 2> /dev/null || true
image java
jars kafka
image kafka
image zookeeper
unpacked registry schema-registry/app
image schema-registry
jars cassandra
cp ../../crates/servers/src/cassandra.options "$work/cassandra/"
image cassandra
unpacked postgres postgres/server
image postgres
image prometheus

#!/bin/bash
# What `make test-compose` needs, where it is missing, on Debian 12: the engine, compose v2, docker-compose 1.29; and a running
# daemon. Root. Elsewhere it says what to install.
#
#   docker/install.sh         installs what is missing, starts the daemon if none answers
#   docker/install.sh stop    stops a daemon that this script started
set -euo pipefail
export DEBIAN_FRONTEND=noninteractive
started=/var/run/millrace-dockerd.pid log=/var/log/dockerd.log
plugins=/usr/local/lib/docker/cli-plugins

main() {
    if [ "${1-}" = stop ]; then stop; exit; fi
    installed dockerd iptables debootstrap || packages docker.io iptables debootstrap ca-certificates
    docker compose version > /dev/null 2>&1 || plugin docker-compose
    # The command line of 23.0 and later builds by this plugin only.
    docker buildx version > /dev/null 2>&1 || plugin docker-buildx
    installed docker-compose || packages docker-compose
    docker info > /dev/null 2>&1 || start
    docker version --format 'docker {{.Client.Version}}, daemon {{.Server.Version}}'
    echo "compose $(docker compose version --short) and $(docker-compose version --short)"
}

installed() { for program in "$@"; do command -v "$program" > /dev/null || return 1; done; }

packages() {
    supported "$@"
    [ -n "${updated-}" ] || apt-get update -qq
    updated=yes
    apt-get install -y -qq --no-install-recommends "$@" > /dev/null
}

supported() {
    [ "$(id -u)" = 0 ] || { echo "as root, this would install: $*" >&2; exit 1; }
    grep -q '^VERSION_CODENAME=bookworm' /etc/os-release || { echo "install by hand, this is not Debian 12: $*" >&2; exit 1; }
}

# Debian has the plugins from 13 on. Only the program is taken: it needs nothing but a C library of 12.
plugin() {
    supported "the plugin $1"
    [ -n "$(apt-get indextargets --format '$(REPO_URI)' 'Identifier: Packages')" ] || apt-get update -qq
    local uri work
    uri=$(apt-get indextargets --format '$(REPO_URI) $(CODENAME) $(COMPONENT)' 'Identifier: Packages' | awk '$2 == "bookworm" && $3 == "main" {print $1; exit}')
    work=$(mktemp -d)
    mkdir -p "$work/lists/partial" "$work/cache/archives/partial" $plugins
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $uri trixie main" > "$work/sources.list"
    local apt=(apt-get -qq -o APT::Sandbox::User=root -o "Dir::Etc::SourceList=$work/sources.list" -o Dir::Etc::SourceParts=/dev/null
        -o "Dir::State::Lists=$work/lists" -o "Dir::Cache=$work/cache")
    (cd "$work" && "${apt[@]}" update && "${apt[@]}" download "$1" && dpkg-deb -x ./*.deb unpacked)
    cp "$work"/unpacked/usr/libexec/docker/cli-plugins/* $plugins/
    rm -rf "$work"
}

start() {
    setsid nohup dockerd >> $log 2>&1 < /dev/null &
    echo $! > $started
    for _ in $(seq 150); do docker info > /dev/null 2>&1 && return; sleep 0.2; done
    tail -20 $log >&2
    exit 1
}

stop() {
    [ -s $started ] || return 0
    local daemon; daemon=$(cat $started)
    kill "$daemon" 2> /dev/null || true
    for _ in $(seq 150); do kill -0 "$daemon" 2> /dev/null || break; sleep 0.2; done
    rm -f $started
}

main "$@"

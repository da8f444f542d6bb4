#!/bin/bash
# hardening.sh PROJECT: does `docker inspect` say of every container what docs/DOCKER.md promises? One line per lapse; exit code 1.
set -euo pipefail
project=${1:?which project? For \`docker compose up\` it is the name of the folder}
image=${MILLRACE_IMAGE:-millrace:dev}
lapses=0
lapse() { echo "$service: $1"; lapses=$((lapses + 1)); }

# Of all: a limit, a question of health, nothing published beyond this machine, no folder of the host but config.
everyone() {
    [ "$(of '{{.HostConfig.Memory}}')" -gt 0 ] || lapse "has no memory limit"
    [ "$(of '{{.HostConfig.Privileged}}')" = false ] || lapse "is privileged"
    [ "$(of '{{if .Config.Healthcheck}}yes{{end}}')" = yes ] || [ "$service" = secrets ] || lapse "has no health check"
    local open binds
    open=$(of '{{range .HostConfig.PortBindings}}{{range .}}{{.HostIp}} {{end}}{{end}}')
    for address in $open; do [ "$address" = 127.0.0.1 ] || lapse "is published on $address"; done
    binds=$(of '{{range .Mounts}}{{if eq .Type "bind"}}{{.Source}}:{{.RW}} {{end}}{{end}}')
    for bind in $binds; do [[ $bind == */config:false ]] || lapse "has the folder $bind of the host"; done
    if of '{{range .Config.Env}}{{println .}}{{end}}' | grep -iE '^[^=]*(password|secret)[^=]*=' | grep -qvE '_FILE='; then
        lapse "has a secret in its environment"
    fi
}

ours() {
    [ "$(of '{{.Config.User}}')" = 10001:10001 ] || lapse "runs as $(of '{{.Config.User}}')"
    [ "$(of '{{.HostConfig.ReadonlyRootfs}}')" = true ] || lapse "can write to its root"
    [ "$(of '{{.HostConfig.CapDrop}} {{len .HostConfig.CapAdd}}')" = "[ALL] 0" ] || lapse "keeps capabilities"
    [[ "$(of '{{.HostConfig.SecurityOpt}}')" == *no-new-privileges* ]] || lapse "can gain privileges"
    # What the kernel says of the process itself, where there is one.
    local status
    status=$(cat "/proc/$(of '{{.State.Pid}}')/status" 2> /dev/null) || return 0
    grep -qE '^CapEff:\s+0+$' <<< "$status" || lapse "has effective capabilities"
    grep -qE '^NoNewPrivs:\s+1$' <<< "$status" || lapse "has no NoNewPrivs"
    grep -qE '^Uid:\s+10001' <<< "$status" || lapse "its process is not user 10001"
}

of() { docker inspect -f "$1" "$container"; }

checked=0 hardened=0
for container in $(docker ps -aq --filter "label=com.docker.compose.project=$project"); do
    service=$(of '{{index .Config.Labels "com.docker.compose.service"}}')
    everyone
    checked=$((checked + 1))
    if [ "$(of '{{.Config.Image}}')" = "$image" ]; then ours; hardened=$((hardened + 1)); fi
done
[ "$hardened" -gt 0 ] || { echo "no container of $image in the project $project"; exit 1; }
echo "$checked containers, $hardened of them ours: $lapses lapses"
[ "$lapses" = 0 ]

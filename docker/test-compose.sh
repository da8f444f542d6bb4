#!/bin/bash
# make test-compose: the very docker-compose.yml that people start, and what must survive it.
#
# Programs: target/debug, stripped. The stand-ins are built from what `make test` has fetched. They show how things are
# wired and not that the official images work; IMAGES=official takes those. Needs docker, compose v2 and
# docker-compose 1.29 (docker/install.sh) and root. Ports and project are its own; nothing of another stack is touched.
set -euo pipefail
cd "$(dirname "$0")/.."
export COMPOSE_PROJECT_NAME=millrace-test
export KAFKA_PORT=28092 SCHEMA_REGISTRY_PORT=28081 CASSANDRA_PORT=28042 POSTGRES_PORT=28433 CONTROL_CENTER_PORT=28021 \
    USERS_API_PORT=28071 PRODUCER_PORT=28070 SCHEDULER_PORT=28080 COORDINATOR_PORT=28077
env_file=docker/standins.env
work=$(mktemp -d)
# What ships, and the pipeline whose load the checker follows. Not only root reads it.
export CONFIG_FOLDER=$work/config
cp -r config "$CONFIG_FOLDER"
cp -r crates/e2e/pipelines/events crates/checker/src/event.avsc "$CONFIG_FOLDER/pipelines/"
mv "$CONFIG_FOLDER/pipelines/event.avsc" "$CONFIG_FOLDER/pipelines/events/"
chmod -R a+rX "$work"
if [ "${IMAGES:-standins}" = official ]; then
    env_file=$work/official.env
    printf '%s\n' BINARIES=prebuilt BUILDER_IMAGE=debian:bookworm-slim "CONTROL_CENTER=${CONTROL_CENTER:-millrace}" > "$env_file"
fi
OURS='users-api fetcher producer scheduler coordinator worker cassandra-sink postgres-sink control-center'

main() {
    echo "== both versions read the file, with each choice"
    read_by_both
    echo "== images"
    images
    trap 'end $?' EXIT
    echo "== first start (docker compose $(docker compose version --short))"
    started=$SECONDS
    v2 up -d > "$work/up" 2>&1 || { cat "$work/up"; fail "up"; }
    await 180 "all are healthy" all_are_healthy
    report "all healthy after $((SECONDS - started)) s (goal 45)"
    await 120 "the first row" rows_are_there
    report "first row seen after $((SECONDS - started)) s (goal 60)"
    pages_answer
    docker/hardening.sh $COMPOSE_PROJECT_NAME
    memory

    echo "== the life of a record, while things break"
    MILLRACE_STORY_PASSWORD=$(inside postgres cat /run/millrace/secrets/postgres) target/debug/xtask story \
        --producer "http://localhost:$PRODUCER_PORT" --kafka "localhost:$KAFKA_PORT" --cassandra "$(cassandra_address)" \
        --postgres "postgres://millrace@localhost:$POSTGRES_PORT/analytics" --folder "$work" --until "$work/enough" &
    sender=$!
    await 120 "records that are sent from outside are acknowledged" sender_goes_on
    crash_the_broker
    v2 up -d --no-recreate --scale worker=4 > /dev/null 2>&1
    await 90 "four workers work" workers_are 4
    docker kill "$(containers worker | head -1)" > /dev/null
    await 60 "three workers go on" workers_are 3
    v2 up -d --scale worker=1 > /dev/null 2>&1
    await 90 "one worker does it all" workers_are 1
    move_cassandra
    subjects=$(subjects)

    echo "== down, and up by docker-compose $(docker-compose version --short)"
    v2 down > /dev/null 2>&1
    v1 up -d > "$work/up" 2>&1 || { cat "$work/up"; fail "up"; }
    await 180 "all are healthy" all_are_healthy
    [ "$(subjects)" = "$subjects" ] || fail "schemas were lost: $subjects"
    await 60 "the sender goes on" sender_goes_on
    docker/hardening.sh $COMPOSE_PROJECT_NAME

    echo "== what was acknowledged is there, once: topics, both stores, counts, places"
    cassandra_address > "$work/moved"
    mv "$work/moved" "$work/enough"
    wait $sender || fail "the checker found damage, or could not look"
    sender=
    down=$SECONDS
    v1 down > /dev/null 2>&1
    report "down within $((SECONDS - down)) s"
}

v2() { docker compose --env-file "$env_file" "$@"; }
v1() { docker-compose --env-file "$env_file" "$@"; }
report() { echo "   $1"; }
containers() { docker ps -q --filter "label=com.docker.compose.project=$COMPOSE_PROJECT_NAME" --filter "label=com.docker.compose.service=$1"; }
inside() { docker exec "$(containers "$1" | head -1)" "${@:2}"; }

fail() {
    echo "FAILED: $1"
    docker ps -a --filter "label=com.docker.compose.project=$COMPOSE_PROJECT_NAME" --format '{{.Names}}: {{.Status}}'
    for container in $(docker ps -aq --filter "label=com.docker.compose.project=$COMPOSE_PROJECT_NAME"); do
        docker inspect -f '--- {{.Name}}' "$container"; docker logs --tail 5 "$container" 2>&1 | cut -c1-300
    done
    exit 1
}

end() {
    [ -z "${sender-}" ] || kill "$sender" 2> /dev/null || true
    v2 down -v --remove-orphans > /dev/null 2>&1 || true
    rm -rf "$work"
    exit "$1"
}

# await SECONDS WHAT COMMAND...
await() {
    local until=$((SECONDS + $1)) began=$SECONDS
    until "${@:3}" 2> /dev/null; do
        [ $SECONDS -lt $until ] || fail "not within $1 s: $2"
        sleep 0.5
    done
    report "$2 ($((SECONDS - began)) s)"
}

read_by_both() {
    local choice
    for choice in A=a CONTROL_CENTER=millrace COMPOSE_PROFILES=prometheus; do
        env "$choice" docker compose config -q || fail "v2 with $choice"
        env "$choice" docker-compose config -q || fail "1.29 with $choice"
    done
    for choice in docker/three-brokers.env docker/standins.env; do
        docker compose --env-file $choice config -q || fail "v2 with $choice"
        docker-compose --env-file $choice config -q || fail "1.29 with $choice"
    done
    # The profile and its settings go together, in both.
    docker compose --env-file docker/three-brokers.env config --services | grep kafka-3 > /dev/null || fail "v2 has no third broker"
    docker-compose --env-file docker/three-brokers.env config | grep 'REPLICATION_FACTOR: .3' > /dev/null || fail "1.29 has no third copy"
}

images() {
    for name in $OURS; do strip -o "docker/dist/$name" "target/debug/$name"; done
    [ "$env_file" != docker/standins.env ] || docker/standins/build.sh > "$work/build" 2>&1 || { cat "$work/build"; exit 1; }
    v2 build > "$work/build" 2>&1 || { tail -20 "$work/build"; exit 1; }
}

all_are_healthy() {
    local wanted found
    wanted=$(v2 config --services | grep -vxc secrets)
    found=$(docker ps -q --filter "label=com.docker.compose.project=$COMPOSE_PROJECT_NAME" --filter health=healthy | wc -l)
    [ "$found" -ge "$wanted" ]
}

rows_are_there() { inside cassandra cqlsh -e 'SELECT id FROM millrace.created_users LIMIT 1' | grep '(1 rows)' > /dev/null; }

pages_answer() {
    for port in $SCHEDULER_PORT $CONTROL_CENTER_PORT $COORDINATOR_PORT; do
        curl -fsS -m 10 -o /dev/null "http://localhost:$port/" || fail "no page on $port"
    done
    # As the README says it.
    v2 exec -T cassandra cqlsh -e 'SELECT id, email FROM millrace.created_users LIMIT 5' 2> /dev/null | grep '(5 rows)' > /dev/null || fail "cqlsh"
    v2 exec -T postgres psql -U millrace -d analytics -Atc 'SELECT count(*) > 0 FROM users' | grep t > /dev/null || fail "psql"
}

memory() {
    local image sum=0 ours=0 name mib
    while read -r name mib; do
        image=$(docker inspect -f '{{.Config.Image}}' "$name")
        sum=$((sum + mib)); case $image in millrace:*) ours=$((ours + mib)) ;; esac
    done < <(docker stats --no-stream --format '{{.Name}} {{.MemUsage}}' $(docker ps -q --filter "label=com.docker.compose.project=$COMPOSE_PROJECT_NAME") \
        | awk '{ mib = $2 + 0; if ($2 ~ /GiB/) mib *= 1024; if ($2 ~ /KiB/) mib /= 1024; printf "%s %d\n", $1, mib + 0.5 }')
    report "memory: ours $ours MiB (goal 300), all $sum MiB (goal 2048)"
    [ $ours -le 300 ] && [ $sum -le 2048 ] || fail "too much memory"
}

acknowledged() { cat "$work"/ledgers/*.jsonl | grep -c '"step":"ok"'; }

sender_goes_on() {
    local before; before=$(acknowledged); sleep 2
    [ "$(acknowledged)" -gt "$before" ]
}

cassandra_address() { docker inspect -f '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}:9042' "$(containers cassandra | head -1)"; }

# Its process, not its container: docker starts a container again whose process ended, but not one that it was told to kill.
crash_the_broker() {
    local broker; broker=$(containers kafka)
    kill -9 "$(docker inspect -f '{{.State.Pid}}' "$broker")"
    await 20 "the broker's death is noticed" restarted_or_down "$broker"
    await 120 "the broker is healthy again" is_healthy "$broker"
    await 60 "records are taken again" sender_goes_on
}

# Its container is made anew and gets another address: somebody else has the old one by then. The sink must find it by its name.
move_cassandra() {
    local old image other rows
    old=$(cassandra_address)
    image=$(docker inspect -f '{{.Config.Image}}' "$(containers cassandra)")
    v2 rm -sf cassandra > /dev/null 2>&1
    other=$(docker run -d --rm --network "${COMPOSE_PROJECT_NAME}_default" --entrypoint sleep "$image" 600)
    v2 up -d --no-deps cassandra > /dev/null 2>&1
    await 180 "Cassandra is healthy again" is_healthy "$(containers cassandra)"
    [ "$(cassandra_address)" != "$old" ] || fail "Cassandra has its old address: nothing was tried"
    # A server that has just started counts slowly.
    await 60 "Cassandra says how many rows it has" know_rows
    await 60 "rows arrive where Cassandra is now" more_rows_than "$rows"
    docker rm -f "$other" > /dev/null
}

event_rows() { inside cassandra cqlsh -e 'SELECT count(*) FROM millrace.events_by_id' | grep -oE '^ +[0-9]+' | tr -d ' '; }
know_rows() { rows=$(event_rows) && [ -n "$rows" ]; }
more_rows_than() { [ "$(event_rows)" -gt "$1" ]; }

restarted_or_down() { [ "$(docker inspect -f '{{.RestartCount}}' "$1")" -gt 0 ]; }
is_healthy() { [ "$(docker inspect -f '{{.State.Health.Status}}' "$1")" = healthy ]; }

# N workers live, and all slots run on workers that live.
workers_are() {
    local jobs alive
    jobs=$(curl -fsS -m 5 "http://localhost:$COORDINATOR_PORT/api/v1/jobs")
    alive=$(grep -o '"name":"[^"]*"[^}]*"alive":true' <<< "$jobs" | grep -o '^"name":"[^"]*"' | cut -d'"' -f4)
    [ "$(wc -w <<< "$alive")" = "$1" ] || return 1
    [ "$(grep -o '"state":"[a-z]*"' <<< "$jobs" | sort -u)" = '"state":"running"' ] || return 1
    for worker in $(grep -o '"worker":"[^"]*"' <<< "$jobs" | cut -d'"' -f4 | sort -u); do grep -qx "$worker" <<< "$alive" || return 1; done
}

subjects() { curl -fsS -m 10 "http://localhost:$SCHEMA_REGISTRY_PORT/subjects" | tr ',' '\n' | tr -d '[]"' | sort; }

main

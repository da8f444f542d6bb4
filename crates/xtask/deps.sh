#!/bin/sh
# Installs the system packages that are missing on Debian and Ubuntu, or says what to install elsewhere.
#   deps.sh [build] [java] [browser] [schemathesis]
set -eu

missing="" schemathesis=""
need() { # program package...
    program=$1; shift
    command -v "$program" >/dev/null 2>&1 || missing="$missing $*"
}

packages() {
    if ! command -v apt-get >/dev/null 2>&1; then
        echo "These are missing; install what provides them on this system:$missing" >&2
        exit 1
    fi
    echo "Installing with apt-get:$missing"
    sudo=""
    [ "$(id -u)" = 0 ] || sudo=sudo
    $sudo apt-get update -qq
    # shellcheck disable=SC2086 # a list of packages
    $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
}

# Asks a REST interface whatever its description allows. In a folder of its own, since it is no package of the system.
install_schemathesis() {
    folder=target/schemathesis wanted=crates/e2e/schemathesis.txt
    cmp -s "$wanted" "$folder/installed.txt" && return
    echo "Installing schemathesis into $folder"
    python3 -m venv --clear "$folder"
    "$folder/bin/pip" install --quiet --disable-pip-version-check -r "$wanted"
    cp "$wanted" "$folder/installed.txt"
}

for part in "$@"; do
    case $part in
        # A C++ compiler for librdkafka. Maven only tells which repository its settings name.
        build) need c++ g++; need make make ;;
        java) need java openjdk-17-jre-headless; need mvn maven ;;
        browser) need chromium chromium ;;
        schemathesis)
            schemathesis=wanted
            python3 -c "import ensurepip, venv" 2>/dev/null || missing="$missing python3-venv" ;;
        *) echo "deps.sh: no such part: $part" >&2; exit 2 ;;
    esac
done

command -v cargo >/dev/null 2>&1 || { echo "Rust is missing: install it with rustup (https://rustup.rs), stable, 1.95 or later." >&2; exit 1; }
[ -z "$missing" ] || packages
[ -z "$schemathesis" ] || install_schemathesis

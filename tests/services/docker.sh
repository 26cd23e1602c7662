#!/bin/sh
# Makes a Docker engine answer, with the images busybox:local and python:local, made from local files.
# Safe to repeat, and to run twice at once. Nothing is pulled.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
state=${TMPDIR:-/tmp}/headrace-test-docker
mkdir -p "$state"
exec 9>"$state/lock"
flock 9

answers() { docker version --format '{{.Server.Version}}' >/dev/null 2>&1; }

root_of_its_own() { # in a plain chroot / is no mount point, which unpacking images needs: bind it once more
    if awk '$5 == "/" { found = 1 } END { exit !found }' /proc/self/mountinfo; then return; fi
    mkdir -p "$state/root"
    printf '%s\n' '#!/bin/sh' "mount --rbind / '$state/root' && mount --make-rprivate '$state/root' && exec chroot '$state/root' \"\$@\"" >"$state/rebind"
    chmod +x "$state/rebind"
    echo "unshare --mount --propagation unchanged $state/rebind"
}

forget_the_dead() { # forget_the_dead FILE NAME: a pid file whose number now is another process's stops an engine
    if [ -s "$1" ] && ! grep -qx "$2" "/proc/$(cat "$1")/comm" 2>/dev/null; then rm -f "$1"; fi
}

start() { # start FLAGS…: true once the engine answers
    # shellcheck disable=SC2024
    setsid nohup $(root_of_its_own) dockerd "$@" >"$state/dockerd.log" 2>&1 9>&- </dev/null &
    engine=$!
    tries=0
    until answers; do
        tries=$((tries + 1))
        if [ $tries -gt 150 ] || ! kill -0 $engine 2>/dev/null; then
            kill $engine 2>/dev/null || true
            return 1
        fi
        sleep 0.2
    done
}

if ! answers; then
    if [ "$(id -u)" != 0 ]; then
        echo "No Docker engine answers, and only root can start one: start it, or run this as root." >&2
        exit 1
    fi
    PATH="$PATH:/usr/sbin:/sbin"
    forget_the_dead /var/run/docker.pid dockerd
    forget_the_dead /var/run/docker/containerd/containerd.pid containerd
    # where the kernel allows no firewall rules, containers get no bridge
    start || start --iptables=false --bridge=none || {
        echo "dockerd does not start; the end of its log:" >&2
        tail -n 20 "$state/dockerd.log" >&2
        exit 1
    }
fi

has() { docker image inspect "$1" >/dev/null 2>&1; }

has busybox:local || python3 "$here/images.py" busybox | docker import - busybox:local >/dev/null
has python:local || python3 "$here/images.py" python |
    docker import -c 'ENV PATH=/usr/local/bin:/usr/bin:/bin' -c 'CMD ["python3"]' - python:local >/dev/null

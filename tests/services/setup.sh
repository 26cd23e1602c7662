#!/bin/sh
# Installs and starts what the tests need beside Python. Safe to repeat, and to run twice at once.
# As root on Debian or Ubuntu it installs what is missing; else it names it and fails.
set -eu
here=$(cd "$(dirname "$0")" && pwd)

missing=""
need() { # need COMMAND PACKAGE
    PATH="$PATH:/usr/sbin:/sbin" command -v "$1" >/dev/null 2>&1 || missing="$missing $2"
}
need dockerd docker.io
need iptables iptables
need redis-server redis-server
need chromium chromium
need git git
need curl curl
need ssh openssh-client
need sshd openssh-server
need node nodejs
need perl perl
need ruby ruby
need lua lua5.4
need php php-cli
[ -x /bin/busybox ] || missing="$missing busybox-static"
[ -x /usr/lib/git-core/git-http-backend ] || missing="$missing git"
[ -d /usr/share/fonts/truetype/dejavu ] || missing="$missing fonts-dejavu-core"
ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || missing="$missing postgresql"

if [ -n "$missing" ]; then
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
        echo "The tests need these packages:$missing. Install them, or run this as root on Debian or Ubuntu." >&2
        exit 1
    fi
    echo "Installing for the tests:$missing"
    policy=/usr/sbin/policy-rc.d
    if [ ! -e $policy ]; then # packages must not start their daemons: the tests start their own
        printf '#!/bin/sh\nexit 101\n' >$policy
        chmod +x $policy
        trap 'rm -f "$policy"' EXIT
    fi
    apt-get update -qq
    # shellcheck disable=SC2086 # a list of words
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing </dev/null >/dev/null
fi

"$here/docker.sh"

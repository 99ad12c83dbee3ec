# Shows in one look whether anything uses this machine.
#
# Sent over SSH as `sh -c '<this text>' fermata` under a timeout of its own, for dash, bash and busybox alike. Arguments
# come over stdin, as `key base64` lines up to an empty line. The answer stands between the lines `fermata 1` and `end`:
# a login may print too, and without the `end` something hung and was cut off. What is cheap is said first, each line
# as soon as it is known, because a driver that hangs in the kernel takes its program with it, and no signal ends that.
set -u
# A guard that shuts down a machine without a controller takes this look for a sign of life.
[ ! -d "${HOME:-/nonexistent}/.fermata/guard" ] || : >"$HOME/.fermata/guard/seen"
proc=${FERMATA_PROC_DIR:-/proc}
home=${HOME:-/nonexistent}/.fermata
PATH=${PATH:-/usr/bin:/bin}:/usr/local/nvidia/bin:/usr/lib/wsl/lib
processes='' custom='' custom_timeout_s=5

say() { printf '%s %s\n' "$1" "$2"; }

read_arguments() {
  while IFS= read -r line; do
    [ -n "$line" ] || return 0
    value=$(printf %s "${line#* }" | base64 -d 2>/dev/null)
    case ${line%% *} in
      processes) processes=$value ;;
      custom) custom=$value ;;
      custom_timeout_s) custom_timeout_s=$value ;;
    esac
  done
}

if timeout -k 1 1 true 2>/dev/null; then
  bounded() { timeout -k 1 "$@"; }
else
  bounded() { shift && "$@"; }
fi

# Says `<key>_exit <code>` and `<key> <base64>` of what a command prints. The cap keeps a line within what a pipe takes
# in one piece, since several of these run at once; whatever the command leaves behind holds neither stdout nor stdin.
ask() {
  key=$1 && shift
  text=$({ "$@" 4>&-; say "${key}_exit" "$?" >&4; } 2>/dev/null </dev/null | head -c 2900 | base64 | tr -d '\n')
  say "$key" "$text"
}

# Sets cpu, uptime and net. By the shell alone: processes of ours in the measured second would count as use.
sample() {
  cpu='' uptime='' net=''
  read -r cpu <"$proc/stat"
  read -r uptime _ <"$proc/uptime"
  [ -r "$proc/net/dev" ] || return 0
  net=0
  while IFS= read -r line; do
    name=${line%%:*}
    case $line in *:*) set -- ${line#*:} ;; *) continue ;; esac
    case ${name##* }:${1:-}${9:-} in lo:* | *: | *:*[!0-9]*) continue ;; esac
    [ -n "${9:-}" ] && net=$((net + $1 + $9))
  done <"$proc/net/dev"
}

say_sample() {
  say "cpu_$1" "$cpu"
  say "uptime_$1" "$uptime"
  say "net_$1" "$net"
}

# What follows the name of a process, which may hold anything: $1 is its state, $2 its parent, ${20} its start time.
read_stat() { read -r stat 2>/dev/null <"$proc/$1/stat" && stat=${stat##*)}; }

# The shells and wrappers that lead to this script, which somebody may have configured the name of.
find_own() {
  own=' ' pid=$$
  while [ "$pid" -gt 1 ] && read_stat "$pid"; do
    own="$own$pid "
    set -- $stat
    pid=${2:-0}
  done
}

# Counts processes by the name that the kernel has for them. A command line is no evidence: it may mention anything.
# Each is looked for by the number of its line; a zombie no longer works.
count_processes() {
  find_own
  between=$IFS IFS='
'
  set -f
  set -- $processes
  set +f
  IFS=$between
  number=0
  for wanted; do eval "count_$number=0 number=$((number + 1))"; done
  for entry in "$proc"/[0-9]*; do
    pid=${entry##*/} number=0
    IFS= read -r name 2>/dev/null <"$entry/comm" || continue
    for wanted; do
      if [ "$name" = "$wanted" ]; then
        case $own in *" $pid "*) continue 2 ;; esac
        read_stat "$pid" || continue 2
        case $stat in ' Z'* | ' X'*) continue 2 ;; esac
        eval "count_$number=\$((count_$number + 1))"
      fi
      number=$((number + 1))
    done
  done
  number=0
  for wanted; do
    eval "say process \"$number \$count_$number\""
    number=$((number + 1))
  done
}

# True when the process that a file of a run names lives, and is not a later one of the same number.
lives() {
  read -r pid since 2>/dev/null <"$1" && [ -n "$since" ] && read_stat "$pid" || return 1
  set -- $stat
  [ "$1" != Z ] && [ "${20:-}" = "$since" ]
}

count_runs() {
  count=0
  for run in "$home"/runs/*; do
    [ -d "$run" ] && [ ! -e "$run/exit" ] || continue
    if lives "$run/pid" || lives "$run/child"; then count=$((count + 1)); fi
  done
  say runs "$count"
}

youngest_heartbeat() {
  at=''
  if [ -d "$home/jobs" ]; then
    at=$(bounded 2 find "$home/jobs" -mindepth 2 -maxdepth 2 -name heartbeat -mmin -1440 -exec stat -c %Y {} + |
      sort -n | tail -n 1)
  fi
  if [ -n "$at" ]; then say heartbeat "$(($(date +%s) - at))"; else say heartbeat none; fi
}

# Where there is no `who`, each terminal counts as a login.
count_logins() {
  if command -v who >/dev/null; then
    logged=$(bounded 2 who) || return 0
    say logins "$(printf %s "$logged" | grep -c .)"
  else
    count=0
    for terminal in /dev/pts/[0-9]*; do [ ! -e "$terminal" ] || count=$((count + 1)); done
    say logins "$count"
  fi
}

ask_gpus() {
  if command -v nvidia-smi >/dev/null; then
    ask gpus bounded 5 nvidia-smi --query-gpu=index,utilization.gpu,memory.used,memory.total \
      --format=csv,noheader,nounits &
    ask apps bounded 5 nvidia-smi --query-compute-apps=pid,used_memory --format=csv,noheader,nounits &
  elif [ -d "$proc/driver/nvidia/gpus" ]; then
    say nvidia_smi hidden
  else
    say nvidia_smi missing
  fi
}

exec 4>&1 2>/dev/null
read_arguments
printf 'fermata 1\n'
read -r boot <"${FERMATA_BOOT_ID_FILE:-/proc/sys/kernel/random/boot_id}" && say boot "$boot"
sample
say_sample before
sleep 1
sample
say_sample after
say cores "$(grep -c '^cpu[0-9]' "$proc/stat")"
count_processes
count_runs
ask_gpus
[ -z "$custom" ] || ask custom bounded "$custom_timeout_s" sh -c "$custom" &
youngest_heartbeat
count_logins
wait
echo end

# What the folder of a job says about it. Sent before the rest of job.sh, and before the rest of job-runner.sh.
#
# $job is the folder of the job, and $gen that of one of its generations. Functions set variables instead of printing
# where that saves a process.

say() { printf '%s %s\n' "$1" "$2"; }
base64_line() { base64 | tr -d '\n'; }

read_boot() {
  read -r boot <"${FERMATA_BOOT_ID_FILE:-/proc/sys/kernel/random/boot_id}" || return 1
  case $boot in '' | *[!A-Za-z0-9-]*) return 1 ;; esac
}

# In 1/100 s.
read_uptime() { read -r uptime _ </proc/uptime && uptime=${uptime%.*}${uptime#*.}; }

# What a program prints in so many seconds. One that hangs in the kernel lives on after KILL, so nobody waits for it.
can_bound=''
if timeout -k 1 1 true 2>/dev/null; then
  can_bound=yes
  bounded() { { timeout -k 1 "$@" </dev/null & } | timeout $(($1 + 1)) cat; }
else
  bounded() { shift && "$@"; }
fi

# The start time of a living process, which tells it from a later one of the same number. It is field 22, counted from
# the last parenthesis: the name before it may hold anything.
start_time() {
  stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
  set -- ${stat##*)}
  [ "$1" != Z ] && [ "$1" != X ] && printf %s "${20}"
}

# True when the process that a file names lives; $number is its number. A missing file is nobody alive.
lives() {
  read -r number since 2>/dev/null <"$1" || return 1
  [ -n "$since" ] && [ "$(start_time "$number")" = "$since" ]
}

# A runner has half a minute to write its number, on a machine that is short of memory too.
is_new() {
  read_uptime && read -r number _ <"$gen/pid" && [ -z "$number" ] && [ $((uptime - claimed)) -lt 3000 ]
}

setting() { sed -n "s/^$1='\(.*\)'$/\1/p" "$gen/settings"; }

# Sets current, the number of the newest generation, and gen.
find_generation() {
  current=-1
  for found in "$job"/g[0-9]*; do
    [ -d "$found" ] && [ "${found##*/g}" -gt "$current" ] && current=${found##*/g}
  done
  gen=$job/g$current
}

# Sets state; the boot id has been read.
find_state() {
  state=absent
  read -r job_digest 2>/dev/null <"$job/digest" || return 0
  find_generation
  if [ "$job_digest" != "$digest" ]; then state=mismatch && return 0; fi
  read -r _ claimed gen_boot 2>/dev/null <"$gen/claim" || return 0
  live=''
  if [ "$gen_boot" = "$boot" ] && { lives "$gen/pid" || is_new || lives "$gen/pid"; }; then live=yes; fi
  # Read after the look for the runner, which writes its last word before it ends.
  read -r _ state <"$gen/state"
  case $state in
    completed | failed | cancelled | interrupted) ;;
    *) [ -n "$live" ] || if [ "$gen_boot" = "$boot" ]; then state=unknown; else state=interrupted; fi ;;
  esac
  # A cancel that came later than the end, and found nobody, or ended the last of it.
  [ -e "$job/cancel" ] || return 0
  case $state in
    interrupted) state=cancelled ;;
    unknown) lives "$gen/child" || state=cancelled ;;
  esac
}

# 0 for a file that was taken away meanwhile.
size_of() { { [ -f "$1" ] && wc -c 2>/dev/null <"$1"; } || echo 0; }

# The files of the log are named after the offset of their first byte, in 15 digits. What else the command leaves there
# counts for nothing.
log_files='0[0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9]'

# Sets segment, the last file of the log, log_start and log_size, which counts all that was ever written.
find_log() {
  log_start=0 log_size=0 segment=''
  set -- "$job"/log/$log_files
  [ -e "$1" ] || return 0
  log_start=$((1${1##*/} - 1000000000000000))
  shift $(($# - 1))
  segment=$1
  log_size=$((1${segment##*/} - 1000000000000000 + $(size_of "$segment")))
}

# Sets checkpoint, which is a file or a folder of files, and the time and size of its newest file.
find_checkpoint() {
  checkpoint_at='' checkpoint_bytes=''
  checkpoint=$(cat "$gen/checkpoint_path" 2>/dev/null)
  [ -n "$checkpoint" ] || return 0
  case $checkpoint in /*) ;; *) checkpoint=$(cat "$gen/cwd")/$checkpoint ;; esac
  newest=$(bounded 5 find -H "$checkpoint" -maxdepth 4 -type f -exec stat -c '%Y %s' {} + 2>/dev/null |
    sort -n | tail -n 1)
  checkpoint_at=${newest%% *} checkpoint_bytes=${newest##* }
}

# Sets request: empty when no checkpoint was asked for, pending, done, missed, or unknown where nothing can tell.
judge_request() {
  request='' asked_at=''
  [ -e "$gen/asked" ] && asked_at=$(stat -c %Y "$gen/asked") || return 0
  request=pending missed=missed now=$(date +%s)
  find_checkpoint
  if [ -n "$checkpoint" ]; then
    # Two seconds without a write: it is whole.
    [ -n "$checkpoint_at" ] && [ $((now - checkpoint_at)) -ge 2 ] &&
      [ -n "$(bounded 5 find -H "$checkpoint" -maxdepth 4 -type f -newer "$gen/asked" 2>/dev/null)" ] && request='done'
  elif [ -s "$gen/checkpoint_command" ]; then
    read -r said _ 2>/dev/null <"$gen/said" && case $said in 0) request='done' ;; *) request=missed ;; esac
  else
    missed=unknown
  fi
  grace_s=$(setting grace_s)
  [ "$request" != pending ] || [ $((now - asked_at)) -lt "$grace_s" ] || request=$missed
}

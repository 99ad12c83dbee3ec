# Runs a command on this machine at most once for each id, and says what became of it.
#
# Sent over SSH as `sh -c '<this text>' fermata <mode>`, for dash, bash and busybox alike. Every argument comes over
# stdin, as `key base64` lines up to an empty line; after it, the stdin of the command. What is asked for is therefore
# in nobody's list of processes. The answer stands between the lines `fermata 1` and `end`, since a login may print too.
#
# ~/.fermata/runs/<id> is the claim to an id, and all that is known of its run:
#   claim, digest, limits, started    who claimed it and at which uptime; what was asked for, and on which boot
#   command, cwd, env, secret, stdin  what the command gets; secret goes before it starts, stdin after it ended
#   runner                            runner.sh, which starts the command and waits for it
#   pid, child, killer                number and start time of the runner, of the command (the leader of its group),
#                                     and of what ends the group
#   stdout, stderr, *.total           what was kept of the output, and how much there was of it
#   stopped, timed_out.*              marks of why the group was ended
#   exit                              the result, complete or absent
set -u
umask 077
base=${HOME:-}/.fermata
stage='' id='' digest='' command='' cwd='' runner='' launched=''
timeout_s='' silence_s='' cap_bytes='' stdin_bytes='' head_bytes=0 keep_s=''

say() { printf '%s %s\n' "$1" "$2"; }
base64_line() { base64 | tr -d '\n'; }

# Nothing was claimed and nothing will run: whoever asked may ask again.
fail() {
  printf 'fermata 1\nstate setup_failed\nwhy %s\nend\n' "$(printf %s "$1" | head -c 1000 | base64_line)"
  exit 0
}

# These set a variable instead of printing, because that costs no process. The uptime is in 1/100 s.
read_boot() { read -r boot <"${FERMATA_BOOT_ID_FILE:-/proc/sys/kernel/random/boot_id}"; }
read_uptime() { read -r uptime _ </proc/uptime && uptime=${uptime%.*}${uptime#*.}; }

number() {
  case $2 in '' | *[!0-9]* | 0?* | ????????????????*) fail "$1 is not a number" ;; esac
}

# `export NAME='value'`, for the runner to read; the dot keeps newlines at the end of a value.
add_variable() {
  name=${2%%=*}
  case $2 in *=*) ;; *) fail 'a variable has no value' ;; esac
  case $name in '' | [0-9]* | *[!A-Za-z0-9_]*) fail "'$name' is not the name of a variable" ;; esac
  quoted=$(printf '%s.' "${2#*=}" | sed "s/'/'\\\\''/g")
  printf "export %s='%s'\n" "$name" "${quoted%.}" >>"$stage/$1" || fail 'the disk is full'
}

# Shells read a pipe byte by byte, so what follows the empty line is left for the command.
read_arguments() {
  while IFS= read -r line; do
    [ -n "$line" ] || return 0
    key=${line%% *}
    value=$(printf %s "${line#* }" | base64 -d 2>/dev/null && printf .) || fail "the value of '$key' is not base64"
    value=${value%.}
    case $mode:$key in
      start:env) add_variable env "$value" ;;
      start:secret_env) add_variable secret "$value" ;;
      start:command | start:cwd | start:runner | start:timeout_s | start:silence_s) eval "$key=\$value" ;;
      start:cap_bytes | start:stdin_bytes | *:head_bytes | *:id | *:digest | clean:keep_s) eval "$key=\$value" ;;
      *) fail "'$key' is no argument of $mode" ;;
    esac
  done
  fail 'the arguments were cut short'
}

check_id() {
  case $id in '' | [!A-Za-z0-9]* | *[!A-Za-z0-9_-]*) fail 'the id is not valid' ;; esac
  [ ${#id} -le 63 ] || fail 'the id is too long'
  case $digest in *[!0-9a-f]*) fail 'the digest is not valid' ;; esac
  [ ${#digest} -eq 64 ] || fail 'the digest is not valid'
  number head_bytes "$head_bytes"
  run=$base/runs/$id
}

# The start time of a living process, which tells it from a later one of the same number. It is field 22, counted from
# the last parenthesis: the name before it may hold anything.
start_time() {
  stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
  set -- ${stat##*)}
  [ "$1" != Z ] && [ "$1" != X ] && printf %s "${20}"
}

# True when the process that a file of the run names lives.
lives() {
  read -r pid since 2>/dev/null <"$run/$1" || return 1
  [ -n "$since" ] && [ "$(start_time "$pid")" = "$since" ]
}

# A folder of this call alone, where all is prepared, so that a crash or a cut connection claims nothing.
make_stage() {
  [ -n "${HOME:-}" ] || fail 'there is no home folder'
  read_boot && read_uptime || fail '/proc cannot be read'
  why=$(mkdir -p "$base/runs" "$base/stage" 2>&1) || fail "$why"
  why=$(mktemp -d "$base/stage/XXXXXX" 2>&1) || fail "$why"
  stage=$why
  trap 'rm -rf "$stage"' EXIT
  trap 'exit 1' HUP INT TERM
}

# One rename claims the id and brings everything with it, so that others see all of a run or nothing. Where the folder
# is there already, mv fails or puts ours inside it, and the claim in it is not ours. True for the one winner.
claim() {
  read_uptime
  token=$$.${stage##*/}.$uptime
  say "$token" "$uptime" >"$stage/claim" && say "$digest" "$boot" >"$stage/digest" || fail 'the disk is full'
  owner='' why=''
  [ -d "$run" ] || why=$(mv "$stage" "$run" 2>&1)
  read -r owner _ 2>/dev/null <"$run/claim"
  [ "$owner" != "$token" ] || return 0
  rm -rf "$run/${stage##*/}"
  [ -d "$run" ] || fail "${why:-the id cannot be claimed}"
  return 1
}

# Files that are written later get their space now, so that a disk which the command fills cannot lose its result.
fill_stage() {
  printf %s "$command" >"$stage/command" && printf %s "$cwd" >"$stage/cwd" && printf %s "$runner" >"$stage/runner" &&
    printf '%s\n' "$timeout_s $silence_s $cap_bytes" >"$stage/limits" && date +%s >"$stage/started" &&
    for name in pid child killer stdout.total stderr.total; do printf '%-63s\n' '' >"$stage/$name" || return; done &&
    printf '%-255s\n' '' >"$stage/exit.tmp" && printf '' >"$stage/stdout" && printf '' >"$stage/stderr" &&
    mkfifo "$stage/stdout.pipe" "$stage/stderr.pipe"
}

detached() {
  setsid sh "$run/runner" "$1" "$run" </dev/null >/dev/null 2>&1 &
}

start() {
  make_stage
  for tool in setsid base64 sed tr tee wc mkfifo head; do
    command -v "$tool" >/dev/null || fail "$tool is missing on this machine"
  done
  printf '' >"$stage/env" && printf '' >"$stage/secret" || fail 'the disk is full'
  read_arguments
  check_id
  for name in timeout_s silence_s cap_bytes stdin_bytes; do eval "number $name \"\$$name\""; done
  [ -n "$command" ] && [ -n "$runner" ] || fail 'there is no command'
  [ -n "$cwd" ] || cwd=$HOME
  case $cwd in /*) ;; *) fail 'cwd is not an absolute path' ;; esac
  (cd "$cwd") 2>/dev/null || fail "cwd cannot be entered: $cwd"
  [ "$silence_s" -eq 0 ] || [ -r /proc/self/io ] || fail 'silence cannot be measured on this machine'
  # A shell may hold some names read-only.
  (. "$stage/env" && . "$stage/secret") >/dev/null 2>&1 || fail 'a variable cannot be set'
  why=$(cat 2>&1 >"$stage/stdin") || fail "$why"
  [ "$(wc -c <"$stage/stdin")" -eq "$stdin_bytes" ] || fail 'stdin was cut short'
  fill_stage 2>/dev/null || fail 'the disk is full'
  launched=no
  if claim; then
    detached run
    launched=yes
  fi
  report
}

# A runner has a few seconds to write its number.
is_new() {
  read_uptime && read -r _ claimed <"$run/claim" && read -r pid _ <"$run/pid" &&
    [ -z "$pid" ] && [ $((uptime - claimed)) -lt 500 ]
}

# How many bytes a stream had; while it is open, how many of them were kept.
stream_bytes() {
  read -r total <"$run/$1.total"
  printf %s "$((${total:-$(wc -c <"$run/$1")}))"
}

find_state() {
  read -r run_digest run_boot 2>/dev/null <"$run/digest" || { state=absent && return; }
  # The result is looked for once more at the end, because it may have come between the two looks.
  if [ "$run_digest" != "$digest" ]; then state=mismatch
  elif [ -f "$run/exit" ]; then state=finished
  elif [ "$run_boot" != "$boot" ]; then state=interrupted
  # A runner may write its number between the two questions, so the first is asked again.
  elif lives pid || is_new || lives pid; then state=running
  elif [ -f "$run/exit" ]; then state=finished
  else state=unknown; fi
  [ "$state" != finished ] || ! grep -q '^withdrawn' "$run/exit" || state=withdrawn
}

report_run() {
  say started "$(cat "$run/started")"
  if [ "$state" != finished ]; then
    say out_bytes "$(stream_bytes stdout)"
    say err_bytes "$(stream_bytes stderr)"
    [ ! -e "$run/stopped" ] || say stopped yes
  fi
  [ "$state" != unknown ] || if lives child; then say command alive; else say command gone; fi
  read -r _ _ cap_bytes <"$run/limits"
  [ "$head_bytes" -le "$cap_bytes" ] || head_bytes=$cap_bytes
  say stdout "$(head -c "$head_bytes" "$run/stdout" | base64_line)"
  say stderr "$(head -c "$head_bytes" "$run/stderr" | base64_line)"
}

report() {
  read_boot || fail 'the boot id cannot be read'
  find_state
  printf 'fermata 1\nstate %s\nboot_id %s\n' "$state" "$boot"
  [ -z "$launched" ] || say launched "$launched"
  case $state in finished | withdrawn) while read -r key value; do say "$key" "$value"; done <"$run/exit" ;; esac
  case $state in absent | mismatch | withdrawn) ;; *) report_run ;; esac
  echo end
}

# An id that nobody claimed is claimed by the stop, so that a start which is still on its way finds it taken.
withdraw() {
  make_stage
  printf 'withdrawn yes\nended %s\n' "$(date +%s)" >"$stage/exit" || fail 'the disk is full'
  claim
}

stop() {
  [ -d "$run" ] || withdraw
  read_boot && find_state
  case $state in running | unknown)
    # First the mark, then the look for the command. The runner does it the other way round, so one of them acts.
    printf '' >"$run/stopped"
    ! lives child || lives killer || detached kill
    ;;
  esac
  report
}

# Removes what can change no more: ended, or cut off by a reboot. The rename makes each removal all or nothing.
clean() {
  number keep_s "$keep_s"
  make_stage
  printf 'fermata 1\nstate cleaned\n'
  oldest=$(($(date +%s) - keep_s)) removed=0
  for run in "$base"/runs/*; do
    [ "$removed" -lt 500 ] && read -r _ run_boot 2>/dev/null <"$run/digest" || continue
    ended=''
    if [ -f "$run/exit" ]; then
      while read -r key value; do [ "$key" != ended ] || ended=$value; done <"$run/exit"
    elif [ "$run_boot" != "$boot" ]; then
      read -r ended <"$run/started"
    fi
    [ -n "$ended" ] && [ "$ended" -lt "$oldest" ] && mv "$run" "$stage/" || continue
    removed=$((removed + 1))
    say removed "${run##*/}"
  done
  find "$base/stage" -mindepth 1 -maxdepth 1 -mmin +1440 -exec rm -rf {} + 2>/dev/null
  echo end
}

mode=${1:-}
case $mode in
  start) start ;;
  look | stop) read_arguments && check_id && case $mode in look) report ;; *) stop ;; esac ;;
  clean) read_arguments && clean ;;
  *) fail 'there is no such mode' ;;
esac

# Begins each generation of a job on this machine at most once, says what became of it, and asks or ends it.
#
# Sent over SSH as `sh -c '<text>' fermata <mode>`, for dash, bash and busybox alike; the text is job-facts.sh,
# job-look.sh and this. Every argument comes over stdin, as `key base64` lines up to an empty line; after it, the stdin
# of the command. The answer stands between the lines `fermata 1` and `end`, since a login may print too.
#
# ~/.fermata/jobs/<id> is the claim to an id, and all that is known of its job:
#   digest      what was asked for
#   heartbeat   touched every 15 s while the job is looked after, and by a look that finds only its command alive
#   cancel      mark: no generation begins any more
#   log/        what was printed, in files named after the offset of their first byte; the last nine are kept
#   g<n>/       a generation: the first launch is 1, and each launch after an interruption one more. In it are
#   claim       who claimed it, at which uptime, on which boot
#   command, restart, cwd, env, stdin, checkpoint_path, checkpoint_command, settings
#               what was asked for; secret goes when the runner has read it, stdin when the generation has ended
#   runner      job-facts.sh, job-attempt.sh and job-runner.sh: what starts the command, and starts it again
#   pid, child  number and start time of the runner, and of the command, the leader of its group
#   due, exit   the number of the attempt that may begin; of the one that ended, its number, exit code and time
#   state       by rename: the state, since when, and every attempt that ended; end.tmp has the space for the last one
#   asked, wanted, said   when a checkpoint was asked for; that its command is to run; what that said
#   quiet, drained        when something new was last seen in the log; that all of the output is in it
set -u
mask=$(umask) && umask 077
PATH=${PATH:-/usr/bin:/bin}:/usr/local/nvidia/bin
base=${HOME:-}/.fermata
stage='' launched='' refused='' digest=''

check_numbers() {
  for name; do
    eval "value=\$$name"
    case $value in '' | *[!0-9]* | 0?* | ????????????????*) fail "$name is not a number" ;; esac
  done
}

# Adds `export NAME='value'` to what the runner reads; the dot keeps newlines at the end of a value.
add_variable() {
  name=${2%%=*}
  case $2 in *=*) ;; *) fail 'a variable has no value' ;; esac
  case $name in '' | [0-9]* | *[!A-Za-z0-9_]*) fail "'$name' is not the name of a variable" ;; esac
  quoted=$(printf '%s.' "${2#*=}" | sed "s/'/'\\\\''/g")
  eval "$1=\"\${$1}export \$name='\${quoted%.}'; \""
}

# Takes the arguments that are named. Shells read a pipe byte by byte, so what follows the empty line is left.
read_arguments() {
  for name; do eval "$name=''"; done
  known=" $* "
  while IFS= read -r line; do
    [ -n "$line" ] || return 0
    key=${line%% *}
    value=$(printf %s "${line#* }" | base64 -d 2>/dev/null && printf .) || fail "the value of '$key' is not base64"
    value=${value%.}
    case $mode:$key in
      launch:env) add_variable exports "$value" && continue ;;
      launch:secret_env) add_variable secret_exports "$value" && continue ;;
    esac
    case $known in *" $key "*) eval "$key=\$value" ;; *) fail "'$key' is no argument of $mode" ;; esac
  done
  fail 'the arguments were cut short'
}

check_id() {
  case ${id#job-} in *[!a-z0-9]* | "$id") fail 'the id is not valid' ;; esac
  [ ${#id} -eq 16 ] || fail 'the id is not valid'
  job=$base/jobs/$id
}

check_ref() {
  check_id
  case $digest in *[!0-9a-f]*) fail 'the digest is not valid' ;; esac
  [ ${#digest} -eq 64 ] || fail 'the digest is not valid'
  read_boot || fail 'the boot id cannot be read'
}

# A folder of this call alone, where all is prepared, so that a crash or a cut connection claims nothing.
make_stage() {
  [ -n "${HOME:-}" ] || fail 'there is no home folder'
  why=$(mkdir -p "$base/jobs" "$base/stage" 2>&1) || fail "$why"
  why=$(mktemp -d "$base/stage/XXXXXX" 2>&1) || fail "$why"
  stage=$why
  trap 'rm -rf "$stage"' EXIT
  trap 'exit 1' HUP INT TERM
  why=$(mkdir "$stage/new" "$stage/log" 2>&1) || fail "$why"
}

# Files that are written later get their space now, so that a disk which the command fills cannot lose the result.
fill_stage() {
  now=$(date +%s)
  say "$digest" '' >"$stage/digest" &&
    printf 'state %s\nattempt 0\nstarted %s\nupdated %s\n' "$1" "$now" "$now" >"$stage/new/state" &&
    for name in pid child due exit; do printf '%-63s\n' '' >"$stage/new/$name" || return; done &&
    printf '%-1023s\n' '' >"$stage/new/end.tmp"
}

fill_generation() {
  for name in command restart cwd runner checkpoint_path checkpoint_command; do
    eval "printf %s \"\$$name\"" >"$stage/new/$name" || return
  done
  for name in $settings mask boot; do
    eval "printf \"%s='%s'\n\" $name \"\$$name\"" >>"$stage/new/settings" || return
  done
  printf %s "$exports" >"$stage/new/env" && printf %s "$secret_exports" >"$stage/new/secret" || return
  printf '' >"$stage/new/quiet" && printf '' >"$stage/heartbeat"
}

# One rename claims the generation, and with the first one the job, and brings everything with it, so that others see
# all of it or nothing. Where the folder is there already, mv fails or puts ours inside it. True for the one winner.
claim() {
  read_uptime
  token=$$.${stage##*/}.$uptime owner='' why=''
  say "$token" "$uptime $boot" >"$stage/new/claim" && mv "$stage/new" "$stage/g$generation" || fail 'the disk is full'
  if [ -d "$job" ]; then
    why=$(mv "$stage/g$generation" "$job/g$generation" 2>&1)
    rm -rf "$job/g$generation/g$generation"
  else
    why=$(mv "$stage" "$job" 2>&1)
    rm -rf "$job/${stage##*/}"
  fi
  read -r owner _ 2>/dev/null <"$job/g$generation/claim"
  [ "$owner" != "$token" ] || return 0
  [ -d "$job" ] || fail "${why:-the id cannot be claimed}"
  return 1
}

# Without `&`, after which no command could ever hear INT and QUIT. The second setsid leads a group, so it forks.
detached() { setsid setsid sh "$job/g$1/runner" "$2" "$job/g$1" </dev/null >/dev/null 2>&1; }

# True when this generation may be claimed; else sets refused, unless the answer is what became of it.
admit() {
  refused=''
  find_state
  case $state in absent) return 0 ;; mismatch) return 1 ;; esac
  if [ "$generation" -lt "$current" ]; then refused=superseded
  elif [ "$generation" -eq "$current" ] || [ -e "$job/cancel" ]; then :
  elif [ -n "$live" ]; then refused=busy
  elif [ "$generation" -gt $((current + 1)) ]; then fail "generation $((current + 1)) comes first"
  else return 0; fi
  return 1
}

launch() {
  for tool in setsid base64 sed tr dd wc head tail grep find stat sort sha256sum; do
    command -v "$tool" >/dev/null || fail "$tool is missing on this machine"
  done
  exports='' secret_exports='' launched=no
  counts='generation max_retries backoff_s backoff_cap_s timeout_s silence_s log_cap_bytes grace_s'
  settings="id $counts no_retry checkpoint_signal resume"
  read_arguments $settings digest command restart_command cwd stdin_bytes runner runner_sha256 \
    checkpoint_path checkpoint_command
  check_ref
  check_numbers $counts stdin_bytes
  # What was begun is said first: whatever has come over this machine since is no reason to say that it was not.
  admit || { cat >/dev/null; report; return; }
  make_stage
  case $resume in yes | no) ;; *) fail 'resume is yes or no' ;; esac
  case $no_retry in *[!0-9\ ]*) fail 'no_retry is not a list of exit codes' ;; esac
  case $checkpoint_signal in *[!A-Z0-9]*) fail 'the signal is not valid' ;; esac
  [ "$generation" -ge 1 ] && [ "$max_retries" -le 10 ] && [ "$log_cap_bytes" -ge 4096 ] || fail 'a number is too much'
  [ -n "$command" ] || fail 'there is no command'
  restart=${restart_command:-$command} cwd=${cwd:-$HOME}
  case $cwd in /*) ;; *) fail 'cwd is not an absolute path' ;; esac
  (cd "$cwd") 2>/dev/null || fail "cwd cannot be entered: $cwd"
  why=$(cat 2>&1 >"$stage/new/stdin") || fail "$why"
  [ "$(wc -c <"$stage/new/stdin")" -eq "$stdin_bytes" ] || fail 'stdin was cut short'
  fill_stage starting 2>/dev/null && fill_generation 2>/dev/null || fail 'the disk is full'
  (. "$stage/new/env" && . "$stage/new/secret") >/dev/null 2>&1 || fail 'a variable is read-only in the shell'
  [ "$(sha256sum <"$stage/new/runner")" = "$runner_sha256  -" ] || fail 'the runner did not arrive whole'
  ! admit || { claim && launched=yes; } || admit
  [ "$launched" = no ] || detached "$generation" run
  report
}

# A job that nobody launched is claimed by the cancel, so that a launch which is still on its way finds it taken.
withdraw() {
  make_stage
  generation=0
  fill_stage cancelled && printf '' >"$stage/cancel" || fail 'the disk is full'
  claim
}

cancel() {
  [ -d "$job" ] || withdraw
  find_state
  case $state in absent | mismatch | completed | failed | cancelled) return 0 ;; esac
  # First the mark, then the look for the runner. That looks for the mark before each start, so one of them acts.
  printf '' >"$job/cancel" || fail 'the disk is full'
  find_state
  [ -n "$live" ] || [ "$gen_boot" != "$boot" ] || detached "$current" end
}

# To the command at once; what is to be run for it is run by the runner, which has the secrets.
checkpoint() {
  find_state
  case $state in running | unknown) ;; *) return 0 ;; esac
  lives "$gen/child" && judge_request && [ "$request" != pending ] || return 0
  signal=$(setting checkpoint_signal)
  [ -n "$signal" ] || [ -s "$gen/checkpoint_command" ] || return 0
  rm -f "$gen/said"
  printf '' >"$gen/asked" || fail 'the disk is full'
  # A command that has no group of its own yet was not asked.
  if [ -n "$signal" ] && ! kill "-$signal" "-$number" 2>/dev/null; then rm -f "$gen/asked" && return 0; fi
  [ ! -s "$gen/checkpoint_command" ] || printf '' >"$gen/wanted"
}

# Removes what can change no more and is not to be kept for whoever has not seen its end. The rename makes it all or nothing, and is taken back when it came too late.
clean() {
  check_numbers keep_success_s keep_other_s
  read_boot || fail 'the boot id cannot be read'
  make_stage
  printf 'fermata 1\nstate cleaned\n'
  now=$(date +%s) removed=0
  for job in "$base"/jobs/job-*; do
    [ "$removed" -lt 500 ] && read -r digest 2>/dev/null <"$job/digest" || continue
    case " $keep " in *" ${job##*/} "*) false ;; *) may_go ;; esac || continue
    kept=$job job=$stage/${job##*/}
    mv "$kept" "$job" || continue
    may_go || { mv "$job" "$kept" && continue; }
    removed=$((removed + 1))
    say removed "${job##*/}"
  done
  find "$base/stage" -mindepth 1 -maxdepth 1 -mmin +1440 -exec rm -rf {} + 2>/dev/null
  echo end
}

# True when the job ended longer ago than what is kept; the last heartbeat is when a reboot ended it.
may_go() {
  find_state
  case $state in
    completed) keep_s=$keep_success_s ;;
    failed | cancelled | interrupted | unknown) keep_s=$keep_other_s ;;
    *) return 1 ;;
  esac
  ! lives "$gen/child" || return 1
  at=$(sed -n 's/^updated \([0-9]*\).*/\1/p' "$gen/state") beat=$(stat -c %Y "$job/heartbeat" 2>/dev/null)
  [ "${beat:-0}" -le "$at" ] || at=$beat
  [ $((now - at)) -gt "$keep_s" ]
}

mode=${1:-}
case $mode in
  launch) launch ;;
  look) read_arguments id digest log_bytes && check_ref && check_numbers log_bytes && report ;;
  log) read_arguments id offset max && check_id && check_numbers offset max && send_log ;;
  signal)
    read_arguments id digest what && check_ref
    case $what in cancel | checkpoint) "$what" ;; *) fail "'$what' cannot be asked for" ;; esac
    report ;;
  clean) read_arguments keep_success_s keep_other_s keep && clean ;;
  *) fail 'there is no such mode' ;;
esac

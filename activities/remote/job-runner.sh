# Looks after one generation of a job: starts its command, again when it fails, and writes down what becomes of it.
#
# job.sh puts it into the folder of the generation, after job-facts.sh and job-attempt.sh. `run <folder>` is the runner,
# which starts what `attempt` and `checkpoint` are; `end <folder>` ends what lives when the runner does not.
cd "$2" || exit 1
umask 077
job=.. gen=. folder=$(cd .. && pwd)
. ./settings || exit 1

# Some sleep for whole seconds only.
nap() { sleep "$1" 2>/dev/null || sleep 1; }

# A number is that of the group for as long as somebody is in it, unless it was given to a later process.
find_group() {
  group=''
  grep -qsxF "boot='$boot'" "$1/settings" && read -r group since <"$1/child" || return 0
  later=$(start_time "${group:-none}") || return 0
  [ "$later" = "$since" ] || group=''
}

to_group() { [ -n "$group" ] && kill "-$1" "-$group" 2>/dev/null; }

# A command that has no group of its own yet is one too.
group_lives() { to_group 0 || { [ -n "$group" ] && lives "$1/child"; }; }

# Everybody with the folder of this job in the environment: who left the group for a session of its own has it still.
named() {
  for found in $(grep -lsF "FERMATA_JOB_DIR=$folder" /proc/[0-9]*/environ); do
    found=${found#/proc/}
    echo "${found%/environ}"
  done
}

# Those in the group are left out: a second TERM cuts many a program short.
to_others() {
  for one in $(named); do
    stat=$(cat "/proc/$one/stat" 2>/dev/null) || continue
    set -- "$1" ${stat##*)}
    [ "$4" = "$group" ] || kill "-$1" "$one" 2>/dev/null
  done
}

# Ends the command of a generation and all that it left: TERM to the group, which may pass it on; to those who left it
# when the group has ended, or five seconds later; KILL after ten. False when even that did not help.
end_all() {
  find_group "$1"
  naps=0 group_knows='' others_know=''
  while group_lives "$1" || [ -n "$(named)" ]; do
    [ "$naps" -lt 75 ] || return 1
    [ -n "$group_knows" ] || ! to_group TERM || group_knows=yes
    if [ -z "$others_know" ] && { [ "$naps" -ge 25 ] || ! group_lives "$1"; }; then
      to_others TERM
      others_know=yes
    fi
    if [ "$naps" -ge 50 ]; then
      to_group KILL
      to_others KILL
    fi
    nap 0.2
    naps=$((naps + 1))
  done
}

# Without `&`, for the reason that job.sh has for it. Printing is the shell's own, so secrets are in no list.
begin() { printf %s "$secrets" | setsid setsid sh ./runner "$@" >/dev/null 2>&1; }

told() {
  printf 'state %s\nattempt %s\nstarted %s\nupdated %s\n' "$1" "$attempt" "$started" "$(date +%s)"
  [ -z "$code" ] || say exit "$code"
  [ -z "$timed_out" ] || say timed_out "$timed_out"
  [ -z "$asked" ] || say signal "$asked"
  printf %s "$ran"
}

tell() { told "$1" >state.tmp && mv state.tmp state; }

beat() {
  read_uptime
  [ $((uptime - beaten)) -lt 1500 ] || { printf '' >../heartbeat && beaten=$uptime; }
}

# Sets verdict when there is a reason to go on no longer.
look_around() {
  beat
  # A newer generation is looked after by its own runner, and nothing here is to be said any more.
  [ ! -e "../g$((generation + 1))" ] || exit
  [ ! -e wanted ] || { rm -f wanted && begin checkpoint .; }
  if [ -e ../cancel ]; then verdict=cancelled
  elif [ -n "$asked" ]; then verdict=interrupted
  elif [ "$timeout_s" -gt 0 ] && [ $((uptime - began)) -ge $((timeout_s * 100)) ]; then
    verdict=failed timed_out=total
  fi
}

# The log is newer than our mark when something was printed since.
listen() {
  [ "$silence_s" -gt 0 ] || return 0
  find_log
  if [ "$segment" -nt quiet ]; then printf '' >quiet && heard=$uptime; fi
  [ $((uptime - heard)) -lt $((silence_s * 100)) ] || timed_out=${timed_out:-silence}
}

# True when the attempt has ended. Its exit code is lost when nobody wrote it down in ten seconds without the command.
has_ended() {
  read -r number code ended <exit && [ "$number" = "$attempt" ] && return 0
  code='' ended=''
  if lives child; then seen=$uptime; fi
  [ $((uptime - seen)) -ge 1000 ] && code=lost ended=$(date +%s)
}

# What the command is asked for before it is ended by force, so that it can be resumed from there.
save_checkpoint() {
  [ -n "$checkpoint_signal" ] || [ -s checkpoint_command ] || return 0
  tell checkpointing
  rm -f said
  printf '' >asked
  find_group .
  [ -z "$checkpoint_signal" ] || to_group "$checkpoint_signal"
  [ ! -s checkpoint_command ] || begin checkpoint .
  until has_ended || { judge_request && [ "$request" != pending ]; }; do
    nap 0.5
    beat
  done
}

run_attempt() {
  attempt=$((attempt + 1)) code='' timed_out='' from=$(date +%s) naps=0
  note child '' && note exit '' && note due "$attempt"
  rm -f drained asked said
  tell running
  beat
  seen=$uptime heard=$uptime
  begin attempt . "$attempt"
  until has_ended; do
    if [ "$naps" -lt 25 ]; then nap 0.2; else nap 1; fi
    naps=$((naps + 1))
    look_around
    listen
    [ -z "$verdict$timed_out" ] || break
  done
  [ "$verdict:$code" != interrupted: ] || save_checkpoint
  # What an attempt that failed has left would be in the way of the next one. Where it cannot be ended, there is none.
  note due ''
  if [ "$code" != 0 ] && ! end_all .; then
    code=lost ended=$(date +%s) verdict=${verdict:-failed}
  fi
  until [ -n "$code" ] || has_ended; do nap 0.1 && read_uptime; done
  naps=0
  until [ -e drained ] || [ "$naps" -ge 10 ]; do nap 0.1 && naps=$((naps + 1)); done
  ran="${ran}ran $attempt $code $from $ended
"
}

judge() {
  [ "$code" = 0 ] || [ -n "$verdict" ] || look_around
  if [ -n "$verdict" ]; then :
  elif [ "$code" = 0 ] && [ -z "$timed_out" ]; then verdict=completed
  elif [ "$attempt" -gt "$max_retries" ]; then verdict=failed
  else case " $no_retry " in *" $code "*) verdict=failed ;; esac; fi
}

wait_to_retry() {
  delay_s=$((backoff_s << (attempt - 1)))
  [ "$delay_s" -le "$backoff_cap_s" ] || delay_s=$backoff_cap_s
  tell retrying
  read_uptime
  retry_at=$((uptime + delay_s * 100))
  while [ -z "$verdict" ] && [ "$uptime" -lt "$retry_at" ]; do
    nap 0.5
    look_around
  done
}

run() {
  for signal in HUP INT TERM; do trap "asked=$signal" "$signal"; done
  asked='' attempt=0 code='' timed_out='' ran='' verdict='' beaten=-1500 heard=0 started=$(date +%s)
  note pid "$$ $(start_time $$)" || exit 1
  secrets=$(cat secret)
  rm -f secret
  beat
  began=$uptime
  # What the generation before has left running, when its own runner was killed.
  end_all "../g$((generation - 1))"
  look_around
  while [ -z "$verdict" ]; do
    run_attempt
    judge
    [ -n "$verdict" ] || wait_to_retry
  done
  printf '' >../heartbeat
  rm -f stdin wanted
  printf '%-1023s\n' "$(told "$verdict")" 1<>end.tmp
  mv end.tmp state
}

case $1 in
  run) run ;;
  attempt) attempt=$3 && attempt ;;
  checkpoint) checkpoint ;;
  end) end_all . ;;
esac

# One attempt of a job: becomes its command, keeps what that prints, writes down its exit code. A part of the runner.
#
# It is a process of its own, `attempt <folder> <number>`, so that the end is written down also when the runner is gone.

# Written over what is there, without a cut, because that needs no space on the disk.
note() { printf '%-63s\n' "$2" 1<>"$1"; }

# For the log.
mark() {
  printf '[fermata] %s generation %s, attempt %s %s\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$generation" "$attempt" "$1"
}

# The output goes on into files of log_cap_bytes at most. Each read of dd is one write, so a line is there when it was
# printed, and dd takes nothing that it does not write. Where the disk is full the output is lost, not the command.
write_log() {
  trap '' HUP INT TERM
  block=$((log_cap_bytes / 256))
  [ "$block" -le 65536 ] || block=65536
  while :; do
    find_log
    size=0
    [ -z "$segment" ] || size=$(size_of "$segment")
    if [ -z "$segment" ] || [ $((log_cap_bytes - size)) -lt "$block" ]; then
      segment=../log/$(printf %015d "$log_size") size=0
      set -- ../log/$log_files
      while [ $# -gt 8 ]; do rm -f "$1" && shift; done
    fi
    if dd "bs=$block" "count=$(((log_cap_bytes - size) / block))" 2>/dev/null >>"$segment"; then
      [ "$(size_of "$segment")" -gt "$size" ] || break
    else
      [ "$(dd bs=65536 count=16 2>/dev/null | wc -c)" -gt 0 ] || break
      # What is lost is no silence.
      touch "$segment" 2>/dev/null
    fi
  done
  printf '' >drained
}

# become <file> <program that starts it ...>: the text in the file, with the variables that ready steps left for every
# command, then those of the job. All is in the positional parameters first, as a variable of the job may have any name.
become() {
  text=$(cat "$1" && printf .)
  text=${text%.}
  # A shell around the program would be ended by the signal that asks it for a checkpoint.
  [ -z "$checkpoint_signal" ] || text="trap : $checkpoint_signal; $text"
  shift
  set -- "$(cat "$HOME"/.fermata/env/* 2>/dev/null; cat env; printf %s "$secrets")" "$(cat cwd && printf .)" "$id" \
    "$attempt" "$generation" "$folder" "$@" "$(command -v bash || command -v sh)" -c -- "$text"
  umask "$mask"
  eval "$1"
  export "FERMATA_JOB_ID=$3" "FERMATA_ATTEMPT=$4" "FERMATA_GENERATION=$5" "FERMATA_JOB_DIR=$6"
  cd "${2%.}" || exit 126
  shift 6
  exec "$@"
}

# No command begins after this. Whoever leaves such a mark looks for a command afterwards, so one of them acts.
is_over() {
  read -r due <due
  [ "$due" != "$attempt" ] || [ -e ../cancel ] || [ -e "../g$((generation + 1))" ]
}

become_command() {
  # The number of this very process, which $$ is not.
  read -r number _ </proc/self/stat
  note child "$number $(start_time "$number")"
  ! is_over || exit 125
  file=command
  [ "$attempt" -eq 1 ] && [ "$resume" = no ] || file=restart
  become "$file" "$(command -v setsid)"
}

# When all of a machine is asked to end, the exit code is still written down. What the shell says of it is for nobody.
attempt() {
  trap : HUP INT TERM
  secrets=$(cat)
  {
    trap : HUP INT TERM
    mark begins
    (become_command) <stdin 2>&1
    code=$?
    note exit "$attempt $code $(date +%s)"
    printf '\n'
    mark "ended with exit code $code"
  } 2>/dev/null | write_log
}

# What the command for checkpoints says: its exit code, and the beginning of what it prints.
checkpoint() {
  secrets=$(cat) attempt=0
  set -- "$(command -v setsid)"
  [ -z "$can_bound" ] || set -- "$(command -v timeout)" -k 5 "$grace_s"
  (become checkpoint_command "$@") </dev/null >said.text 2>&1
  say "$?" "$(head -c 2000 said.text | base64_line)" >said.tmp && mv said.tmp said
}

# What is answered about a job: what became of it, its log, its checkpoint, what the machine shows. A part of job.sh.

# Nothing was claimed and nothing will run: whoever asked may ask again.
fail() {
  printf 'fermata 1\nstate setup_failed\nwhy %s\nend\n' "$(printf %s "$1" | head -c 1000 | base64_line)"
  exit 0
}

# What became of the newest generation, and the attempts of the last five.
report_job() {
  say generation "$current"
  while read -r key value; do
    case $state:$key in *: | *:state | *:ran | unknown:exit) ;; *) say "$key" "$value" ;; esac
  done <"$gen/state"
  # An attempt writes down its exit code without the runner too.
  [ "$state" != unknown ] || { read -r _ code _ <"$gen/exit" && [ -n "$code" ] && say exit "$code"; }
  past=$((current > 4 ? current - 4 : 0))
  while [ "$past" -le "$current" ]; do
    while read -r key value; do [ "$key" != ran ] || say ran "$past $value"; done 2>/dev/null <"$job/g$past/state"
    past=$((past + 1))
  done
  command=gone
  [ "$gen_boot" != "$boot" ] || ! lives "$gen/child" || command=alive
  say command "$command"
  # Nobody looks after it, but it is use of the machine for as long as somebody watches it.
  [ "$state:$command" != unknown:alive ] || printf '' >"$job/heartbeat"
  [ ! -e "$job/heartbeat" ] || say heartbeat_age "$(($(date +%s) - $(stat -c %Y "$job/heartbeat")))"
  find_log
  say log_start "$log_start"
  say log_size "$log_size"
  [ -z "$request" ] || say asked "$asked_at $request"
}

report() {
  find_state
  request='' command=gone
  case $state in
    absent | mismatch) ;;
    *) judge_request && case $state:$request in running:pending) state=checkpointing ;; esac ;;
  esac
  printf 'fermata 1\nstate %s\nboot_id %s\n' "${refused:-$state}" "$boot"
  [ -z "$launched" ] || say launched "$launched"
  case ${refused:-$state} in
    absent | mismatch) ;;
    superseded | busy) say generation "$current" ;;
    *) report_job ;;
  esac
  [ "$mode" != look ] || look_further
  echo end
}

# What takes long goes side by side; each says its lines in one piece.
look_further() {
  case $state in
    absent | mismatch) ;;
    *)
      say log "$(log_tail "$log_bytes" | base64_line)"
      say_checkpoint &
      say_disk &
      [ "$command" = alive ] || say_held &
      [ "$command" = alive ] || say_orphans &
      ;;
  esac
  say_notice &
  wait
}

log_tail() {
  bytes=$1
  set -- "$job"/log/$log_files
  [ $# -le 2 ] || shift $(($# - 2))
  for file; do tail -c "$bytes" "$file" 2>/dev/null; done | tail -c "$bytes"
}

# At most `max` bytes from `offset`, and never of more than one file, so that a file which is rotated away meanwhile
# leaves no hole in the middle.
send_log() {
  [ -d "$job" ] || { printf 'fermata 1\nstate absent\nend\n' && return 0; }
  find_log
  [ "$offset" -ge "$log_start" ] || offset=$log_start
  next=$offset begin=$offset
  for file in "$job"/log/$log_files; do
    [ -f "$file" ] || continue
    begin=$((1${file##*/} - 1000000000000000)) next=$((begin + $(size_of "$file")))
    [ "$next" -le "$offset" ] || break
  done
  [ "$next" -ge "$offset" ] || next=$offset
  [ $((next - offset)) -le "$max" ] || next=$((offset + max))
  printf 'fermata 1\nstate log\nlog_start %s\nlog_size %s\noffset %s\nnext %s\nend\n' \
    "$log_start" "$log_size" "$offset" "$next"
  [ "$next" -eq "$offset" ] ||
    tail -c "+$((offset - begin + 1))" "$file" 2>/dev/null | head -c $((next - offset)) 2>/dev/null
}

say_checkpoint() {
  # Of a request that is judged it is known.
  [ -n "$request" ] || find_checkpoint
  if [ -n "$checkpoint_at" ]; then say checkpoint "$(($(date +%s) - checkpoint_at)) $checkpoint_bytes"
  elif [ -n "$checkpoint" ]; then say checkpoint none; fi
  read -r said text 2>/dev/null <"$gen/said" || return 0
  say checkpoint_exit "$said"
  say checkpoint_said "$text"
}

ask_metadata() { curl -s -f --noproxy '*' --max-time 1 "$@" 2>/dev/null; }

# What the cloud says about taking this machine away; asked at most every 5 s, every 60 s where nobody answers.
find_notice() {
  notice='' from=http://169.254.169.254/latest
  if [ -n "${FERMATA_SPOT_NOTICE_FILE:-}" ]; then
    notice=$(head -c 1000 "$FERMATA_SPOT_NOTICE_FILE" 2>/dev/null)
    return 0
  fi
  command -v curl >/dev/null || return 0
  now=$(date +%s)
  { read -r fresh_until && notice=$(cat); } 2>/dev/null <"$base/spot" && [ "$fresh_until" -gt "$now" ] &&
    [ "$fresh_until" -le $((now + 60)) ] && return 0
  notice='' fresh_until=$((now + 60))
  if token=$(ask_metadata -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' "$from/api/token"); then
    fresh_until=$((now + 5))
    notice=$(ask_metadata -H "X-aws-ec2-metadata-token: $token" "$from/meta-data/spot/instance-action" | head -c 1000)
  fi
  part=$(mktemp "$base/spot.XXXXXX" 2>/dev/null) && printf '%s\n%s' "$fresh_until" "$notice" >"$part" &&
    mv "$part" "$base/spot"
}

say_notice() {
  find_notice
  [ -z "$notice" ] || say spot_notice "$(printf %s "$notice" | base64_line)"
}

# These are asked only while no command of the job lives. What is then at a GPU and is gone, or is left of the job, is
# an orphan.
say_held() {
  command -v nvidia-smi >/dev/null || return 0
  bounded 5 nvidia-smi --query-gpu=memory.used --format=csv,noheader,nounits 2>/dev/null | {
    held=0
    while read -r mib; do case $mib in '' | *[!0-9]*) ;; *) held=$((held + mib)) ;; esac; done
    say gpu_held "$held"
  }
}

say_orphans() {
  here=$(cd "$job" && pwd)
  command -v nvidia-smi >/dev/null || return 0
  bounded 5 nvidia-smi --query-compute-apps=pid,used_memory --format=csv,noheader,nounits 2>/dev/null |
    while IFS=' ,' read -r number mib _; do
      case $number in '' | *[!0-9]*) continue ;; esac
      case $mib in '' | *[!0-9]*) mib=0 ;; esac
      if [ ! -d "/proc/$number" ]; then say gpu_orphan "$number $mib gone"
      elif grep -qsF "FERMATA_JOB_DIR=$here" "/proc/$number/environ"; then say gpu_orphan "$number $mib left"; fi
    done
}

say_disk() {
  set -- $(bounded 2 df -Pk "$(cat "$gen/cwd" 2>/dev/null)" 2>/dev/null | tail -n 1)
  # Some file systems of the cloud call themselves boundless.
  case ${4:-} in '' | *[!0-9]* | ????????????????*) ;; *) say disk_free_kb "$4" ;; esac
}

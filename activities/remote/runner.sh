# Starts the command of one run, keeps its output within bounds and its time within limits, and writes down its end.
#
# exec.sh puts this beside what it needs and starts it as `setsid sh runner run <folder>`: away from whoever asked, so
# that no lost connection ends it. `kill <folder>` ends the group of the command.
cd "$2" || exit 1
umask 077

# As in exec.sh.
start_time() {
  stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
  set -- ${stat##*)}
  [ "$1" != Z ] && [ "$1" != X ] && printf %s "${20}"
}

lives() {
  read -r pid since <"$1" && [ -n "$since" ] && [ "$(start_time "$pid")" = "$since" ]
}

read_uptime() { read -r uptime _ </proc/uptime && uptime=${uptime%.*}${uptime#*.}; }

# Written over what is there, without a cut, because that needs no space on the disk.
note() { printf '%-63s\n' "$2" 1<>"$1"; }

# Some sleep for whole seconds only.
nap() { sleep "$1" 2>/dev/null || sleep 1; }

# TERM to the group, KILL five seconds later. The group is that of the command for as long as somebody is in it, since
# its number is not given again before. A command that has no group of its own yet gets its TERM a moment later.
kill_group() {
  lives killer && exit
  lives child || exit
  leader=$pid sent='' naps=0
  note killer "$$ $(start_time $$)"
  while [ "$naps" -lt 25 ]; do
    if [ -n "$sent" ]; then kill -0 "-$leader" || exit
    elif kill -TERM "-$leader"; then sent=yes
    else lives child || exit; fi
    nap 0.2
    naps=$((naps + 1))
  done
  kill -KILL "-$leader" || { lives child && kill -KILL "$leader"; }
}

end_group() { setsid sh ./runner kill . & }

# Keeps the beginning of a stream and counts all of it. The limit on the size of files stops tee's writing to the file,
# not its reading: the command neither blocks nor gets SIGPIPE. One block more than asked shows that there was more.
drain() {
  {
    trap '' XFSZ
    ulimit -f $((cap_bytes / 512 + 1))
    exec tee "$1"
  } <"$1.pipe" | wc -c 1<>"$1.total" &
}

# What the counters have read so far: it changes with every byte, also of what is not kept.
read_progress() {
  out='' err=''
  read -r _ out <"/proc/$out_counter/io"
  read -r _ err <"/proc/$err_counter/io"
  progress="$out $err"
}

# Goes on without the runner for as long as the command does.
watch() {
  read_uptime
  read_progress
  began=$uptime last=$uptime seen=$progress
  while [ -d "/proc/$child" ] && sleep 1; do
    read_uptime
    read_progress
    [ "$progress" = "$seen" ] || last=$uptime
    seen=$progress
    expired=''
    [ "$silence_s" -eq 0 ] || [ $((uptime - last)) -lt $((silence_s * 100)) ] || expired=silence
    [ "$timeout_s" -eq 0 ] || [ $((uptime - began)) -lt $((timeout_s * 100)) ] || expired=total
    [ -n "$expired" ] || continue
    printf '' >"timed_out.$expired"
    end_group
    timeout_s=0 silence_s=0
  done
}

# The command with its variables: those that ready steps left for every command, then its own. Everything it needs is in the positional parameters first, because a variable of the
# run may have any name; the secrets are off the disk before it starts.
become_command() {
  set -- "$(cat "$HOME"/.fermata/env/* 2>/dev/null; cat env secret)" "$(cat cwd && printf .)" "$(command -v setsid)" \
    "$(command -v bash || command -v sh)" -c -- "$(cat command && printf .)"
  rm -f secret
  eval "$1"
  shift
  cd "${1%.}" || exit 126
  shift
  exec "$1" "$2" "$3" "$4" "${5%.}"
}

# True when a stream has ended; how much there was of it is known only then.
ended() { read -r total <"$1.total" && [ -n "$total" ]; }

stream_bytes() {
  ended "$1" || total=$(wc -c <"$1")
  printf %s "$((total))"
}

result() {
  printf 'exit %s\nended %s\n' "$code" "$(date +%s)"
  for limit in silence total; do
    [ ! -e "timed_out.$limit" ] || { printf 'timed_out %s\n' "$limit" && break; }
  done
  [ ! -e stopped ] || echo 'stopped yes'
  printf 'out_bytes %s\nerr_bytes %s\n' "$(stream_bytes stdout)" "$(stream_bytes stderr)"
}

run() {
  note pid "$$ $(start_time $$)" || exit 1
  read -r timeout_s silence_s cap_bytes <limits
  drain stdout
  out_counter=$!
  drain stderr
  err_counter=$!
  # Each waits for its drain; only now, so that no drain holds an end that it waits for.
  exec 3>stdout.pipe 4>stderr.pipe
  become_command <stdin >&3 2>&4 3>&- 4>&- &
  child=$!
  exec 3>&- 4>&-
  note child "$child $(start_time "$child")"
  [ ! -e stopped ] || end_group
  watcher=''
  if [ "$timeout_s" -gt 0 ] || [ "$silence_s" -gt 0 ]; then
    watch &
    watcher=$!
  fi
  wait "$child"
  code=$?
  [ -z "$watcher" ] || kill "$watcher"
  # Ended by force means that nothing of the group is left, or that even KILL did not help.
  naps=0
  while [ -e stopped ] || [ -e timed_out.total ] || [ -e timed_out.silence ]; do
    kill -0 "-$child" && [ "$naps" -lt 40 ] || break
    nap 0.2
    naps=$((naps + 1))
  done
  # The drains end with the last who holds the output; a process left in the background keeps its drain, not the end.
  naps=0
  until { ended stdout && ended stderr; } || [ "$naps" -ge 16 ]; do
    nap 0.05
    naps=$((naps + 1))
  done
  rm -f stdin secret stdout.pipe stderr.pipe
  printf '%-255s\n' "$(result)" 1<>exit.tmp
  mv exit.tmp exit
}

case $1 in
  run) run ;;
  kill) kill_group ;;
esac

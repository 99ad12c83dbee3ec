# Installs the dead-man switch of this machine: it shuts it down when its controller was not heard of for too long.
#
# A controller that is gone stops nothing, and the bill goes on. The guard reads no clock that can jump: it counts its
# own rounds since the controller's mark, a job's heartbeat or a command was last seen to change or live.
# Arguments by variable: limit_s, round_s.
set -u
umask 077
folder=$HOME/.fermata/guard
mkdir -p "$folder" || exit 73
: >"$folder/seen" || exit 73
command -v setsid >/dev/null || { echo 'setsid is missing on this machine' >&2; exit 69; }
command -v shutdown >/dev/null || { echo 'shutdown is missing on this machine' >&2; exit 69; }
[ "$(id -u)" -eq 0 ] || sudo -n true 2>/dev/null || { echo 'shutdown needs sudo without a password' >&2; exit 77; }

cat >"$folder/guard.part" <<'GUARD' || exit 73
folder=$HOME/.fermata/guard
limit_s=$1 round_s=$2 silent_s=0 last='' boot=''
read -r boot 2>/dev/null <"${FERMATA_BOOT_ID_FILE:-/proc/sys/kernel/random/boot_id}"

# As in exec.sh.
start_time() {
  stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
  set -- ${stat##*)}
  [ "$1" != Z ] && [ "$1" != X ] && printf %s "${20}"
}

# True while the runner of a command lives. A number alone may be another process by now, and that of an earlier boot is.
works() {
  [ ! -e "$1/exit" ] && read -r number since 2>/dev/null <"$1/pid" && [ -n "$since" ] || return 1
  read -r _ run_boot 2>/dev/null <"$1/digest" && [ "$run_boot" = "${boot:-$run_boot}" ] || return 1
  [ "$(start_time "$number")" = "$since" ]
}

echo "$$" >"$folder/pid"
while :; do
  sleep "$round_s"
  # Another guard took over.
  [ "$(cat "$folder/pid" 2>/dev/null)" = "$$" ] || exit 0
  marks=$(stat -c %Y "$folder/seen" "$HOME"/.fermata/jobs/*/heartbeat 2>/dev/null)
  for run in "$HOME"/.fermata/runs/*; do
    works "$run" && marks="$marks $number.$silent_s"
  done
  if [ "$marks" != "$last" ]; then
    last=$marks silent_s=0
    continue
  fi
  silent_s=$((silent_s + round_s))
  [ "$silent_s" -ge "$limit_s" ] || continue
  echo "no controller for ${silent_s}s: shutting down" >"$folder/why"
  shutdown -h now 2>/dev/null || sudo -n shutdown -h now
  silent_s=0
done
GUARD
mv -f "$folder/guard.part" "$folder/guard.sh"
setsid sh "$folder/guard.sh" "$limit_s" "$round_s" </dev/null >/dev/null 2>&1 &

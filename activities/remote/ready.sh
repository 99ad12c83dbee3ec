# Performs one ready step of a member: a command, a file, variables, or a request from the machine; `keep` removes variables.
#
# Sent over SSH as `sh -c '<this text>' fermata <kind>`. The arguments come over stdin as `key base64` lines up to an
# empty line, so nothing that is asked for is in a list of processes.
set -u
umask 077
command='' content='' path='' mode='' verify='' name='' keep=''

refuse() {
  printf '%s\n' "$1" >&2
  exit 64
}

while IFS= read -r line && [ -n "$line" ]; do
  key=${line%% *}
  # The dot keeps line feeds at the end.
  value=$(printf %s "${line#* }" | base64 -d && printf .) || refuse "the value of $key is not base64"
  value=${value%.}
  case $key in
    command | content | path | mode | verify | name | keep) eval "$key=\$value" ;;
    env) export "${value%%=*}=${value#*=}" ;;
    *) refuse "$key is no argument" ;;
  esac
done

shell=sh
command -v bash >/dev/null && shell=bash

# Written beside its place and renamed, so that nobody reads half a file. Hidden, since commands read every file of the
# folder of variables, also one that a lost link left there.
write() {
  case $1 in /*) target=$1 ;; *) target=$HOME/$1 ;; esac
  mkdir -p -- "$(dirname -- "$target")" || exit 73
  part=$(mktemp "$(dirname -- "$target")/.part.XXXXXX") || exit 73
  trap 'rm -f "$part"' EXIT
  printf %s "$2" >"$part" && chmod "$3" "$part" && mv -f -- "$part" "$target" || exit 73
  trap - EXIT
}

case ${1:-} in
  exec) "$shell" -c "$command" </dev/null || exit $? ;;
  put_file) write "$path" "$content" "${mode:-0644}" ;;
  secret_file) write "$path" "$content" 0600 ;;
  # Commands and jobs read every file of this folder before they start.
  env) write ".fermata/env/$name" "$content" 0600 ;;
  # Variables of steps that are no longer, or have changed since.
  keep)
    for file in "$HOME"/.fermata/env/*; do
      case " $keep " in *" ${file##*/} "*) ;; *) rm -f -- "$file" || exit 73 ;; esac
    done
    ;;
  http)
    if command -v curl >/dev/null; then curl -fsS --max-time 60 -o /dev/null -- "$command" || exit $?
    else wget -q -T 60 -O /dev/null -- "$command" || exit $?; fi
    ;;
  *) refuse "$1 is no kind of ready step" ;;
esac
[ -z "$verify" ] || "$shell" -c "$verify" </dev/null

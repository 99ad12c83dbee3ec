# Puts a file into the work folder of this machine or gets one from it, in pieces that a cut connection may end.
#
# Sent and answered like exec.sh: `sh -c '<this text>' fermata <mode>`, `key base64` lines up to an empty line, then the
# bytes of the file; the answer stands between `fermata 1` and `end`, and the bytes that are got follow it.
#
# Every path is relative to `root`, and what it leads to, links resolved, must be inside of it.
set -u
id='' root='' path='' size='' sha256='' permissions=0644 offset=0 max=0

say() { printf '%s %s\n' "$1" "$2"; }
base64_line() { base64 | tr -d '\n'; }

# Ends with a state that carries a number or words.
answer() {
  printf 'fermata 1\nstate %s\n' "$1"
  [ $# -lt 3 ] || say "$2" "$3"
  echo end
  exit 0
}
because() { answer "$1" why "$(printf %s "$2" | head -c 1000 | base64_line)"; }
refuse() { because refused "$1"; }
fail() { because setup_failed "$1"; }

number() {
  case $2 in '' | *[!0-9]* | 0?* | ????????????????*) refuse "$1 is not a number" ;; esac
}

# Shells read a pipe byte by byte, so what follows the empty line is left for the file.
read_arguments() {
  while IFS= read -r line; do
    [ -n "$line" ] || return 0
    key=${line%% *}
    value=$(printf %s "${line#* }" | base64 -d 2>/dev/null && printf .) || refuse "the value of '$key' is not base64"
    value=${value%.}
    case $mode:$key in
      *:root | *:path | put:offset | put:permissions | get:offset | get:max) eval "$key=\$value" ;;
      put:id | put:size | put:sha256 | stat:id | stat:size | stat:sha256 | drop:id | drop:size | drop:sha256) eval "$key=\$value" ;;
      *) refuse "'$key' is no argument of $mode" ;;
    esac
  done
  fail 'the arguments were cut short'
}

check_arguments() {
  number offset "$offset"
  case $mode in
    get) number max "$max" ;;
    *)
      case $id in '' | [!A-Za-z0-9]* | *[!A-Za-z0-9_-]*) refuse 'the id is not valid' ;; esac
      [ ${#id} -le 63 ] || refuse 'the id is too long'
      number size "$size"
      case $sha256 in *[!0-9a-f]*) refuse 'the sha256 is not valid' ;; esac
      [ ${#sha256} -eq 64 ] || refuse 'the sha256 is not valid'
      case $permissions in [0-7][0-7][0-7] | 0[0-7][0-7][0-7]) ;; *) refuse 'the permissions are not valid' ;; esac
      ;;
  esac
}

# Where a folder really is. The dot keeps a newline at the end of its name.
real_folder() {
  real=$(cd -P "$1" 2>/dev/null && pwd -P && printf .) || return 1
  real=${real%?.}
}

inside() {
  case $1/ in "$real_root"/*) ;; *) refuse "$path leads out of the folder" ;; esac
}

# Sets parent and target. Goes down one folder at a time, so that nothing is made beyond a link that leads out.
find_target() {
  case $path in
    '' | /* | */ | *//*) refuse "'$path' is not a relative path of a file" ;;
  esac
  case /$path/ in
    */../* | */./*) refuse "$path leads out of the folder" ;;
    */.fermata-*) refuse "$path has a name that is kept for files on their way" ;;
  esac
  case $root in /*) ;; *) root=${HOME:-}/$root ;; esac
  real_folder "$root" || refuse "there is no folder $root"
  real_root=${real%/}
  parent=$real_root rest=$path
  while [ "$rest" != "${rest#*/}" ]; do
    next=$parent/${rest%%/*} rest=${rest#*/}
    [ -e "$next" ] || [ -h "$next" ] || make_folder "$next"
    real_folder "$next" || refuse "$next is not a folder that can be entered"
    inside "$real"
    parent=${real%/}
  done
  target=$parent/$rest
  [ ! -h "$target" ] || follow_link
  [ ! -e "$target" ] || [ -f "$target" ] || refuse "$path is not a file"
}

make_folder() {
  case $mode in
    put) why=$(mkdir "$1" 2>&1) || [ -d "$1" ] || fail "$why" ;;
    stat | drop) answer have have 0 ;;
    get) answer absent ;;
  esac
}

# The file that a link leads to is the one that is read or replaced; the link stays.
follow_link() {
  target=$(readlink -f "$target" 2>/dev/null && printf .) || refuse "$path is a link that leads nowhere"
  target=${target%?.}
  parent=${target%/*}
  inside "$target"
}

size_of() { printf %s "$(($(wc -c <"$1")))"; }

# 64 digits, whatever else the tool at hand prints.
sum_of() {
  {
    if command -v sha256sum >/dev/null; then sha256sum
    elif command -v openssl >/dev/null; then openssl dgst -sha256
    else shasum -a 256; fi
  } <"$1" 2>/dev/null | tr -cs '0-9a-f' '\n' | grep -x '.\{64\}'
}

is_there() {
  [ -f "$target" ] && [ "$(size_of "$target")" = "$size" ] && [ "$(sum_of "$target")" = "$sha256" ]
}

# What came so far, in a file beside the target, which becomes it by a rename when it is complete and right.
find_part() {
  part=$parent/.fermata-$id.part
  [ ! -h "$part" ] || refuse 'the part is a link'
  have=0
  [ ! -f "$part" ] || have=$(size_of "$part")
}

# A new file for each attempt: an earlier one whose connection hangs may still be writing to the old one.
renew_part() {
  if [ "$have" -eq 0 ]; then rm -f "$part"; else head -c "$have" "$part" >"$part-new" && mv -f "$part-new" "$part"; fi
}

put() {
  if is_there; then
    why=$(chmod "$permissions" "$target" 2>&1) || fail "$why"
    rm -f "$part"
    answer done
  fi
  [ "$offset" -eq "$have" ] || answer offset have "$have"
  umask 077
  why=$(renew_part 2>&1) || { rm -f "$part-new" && fail "$why"; }
  why=$(cat 2>&1 >>"$part") || fail "$why"
  find_part
  if [ "$have" -lt "$size" ]; then
    # Another attempt may have overtaken this one, and taken the part with it.
    ! is_there || answer done
    answer have have "$have"
  fi
  if [ "$have" -ne "$size" ] || [ "$(sum_of "$part")" != "$sha256" ]; then
    rm -f "$part"
    answer corrupt
  fi
  why=$(chmod "$permissions" "$part" 2>&1 && mv -f "$part" "$target" 2>&1) || fail "$why"
  answer done
}

# The sum comes with the beginning only; size and time of change tell whether the file stayed the same afterwards.
get() {
  [ -e "$target" ] || answer absent
  [ -r "$target" ] || refuse "$path cannot be read"
  sum=''
  [ "$offset" -gt 0 ] || sum=$(sum_of "$target")
  printf 'fermata 1\nstate file\nsize %s\nmodified %s\n' "$(size_of "$target")" "$(stat -c %Y "$target")"
  [ -z "$sum" ] || say sha256 "$sum"
  echo end
  [ "$max" -eq 0 ] || tail -c "+$((offset + 1))" "$target" | head -c "$max"
}

mode=${1:-}
case $mode in put | stat | drop | get) ;; *) refuse 'there is no such mode' ;; esac
command -v sha256sum >/dev/null || command -v openssl >/dev/null || command -v shasum >/dev/null ||
  fail 'there is no tool for sha256 on this machine'
read_arguments
check_arguments
find_target
case $mode in
  get) get ;;
  *)
    find_part
    # Whoever still writes to it writes to nothing, and is told so.
    [ "$mode" != drop ] || { rm -f "$part" && answer have have 0; }
    # More than all of it is the rest of something else, and is begun anew.
    [ "$have" -le "$size" ] || have=0
    [ "$mode" = stat ] || put
    ! is_there || answer done
    answer have have "$have"
    ;;
esac

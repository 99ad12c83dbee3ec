// The programs every host has in a folder of its own, before the system's: shutdown and its names, sudo, who.

/** Other names of `shutdown`. */
export const powerNames = ['poweroff', 'halt', 'reboot'] as const;

export interface PowerPlaces {
  readonly id: string;
  /** Where a host leaves its wish, in a file with its id as the name. */
  readonly powerFolder: string;
  /** Remembers the process that waits until it is time. */
  readonly pending: string;
}

/** A text as one word of a POSIX shell. */
export const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

export const shutdown = ({ id, powerFolder, pending }: PowerPlaces): string => `#!/bin/sh
# Stops or reboots this machine of the sandbox cloud: at once, in +N minutes, or no more (-c).
power=${quoted(powerFolder)} id=${quoted(id)} pending=${quoted(pending)}
what=halt when=
case \${0##*/} in
  reboot) what=reboot when=0 ;;
  poweroff | halt) when=0 ;;
esac
for word do
  case $word in
    -r | --reboot) what=reboot ;;
    -h | -P | -H | -p | -f | -k | --poweroff | --halt | --force | --no-wall) ;;
    -c)
      [ -f "$pending" ] && kill "$(cat "$pending")" 2>/dev/null
      rm -f "$pending"
      exit 0 ;;
    -*) echo "shutdown: unrecognized option '$word'" >&2; exit 1 ;;
    now) when=0 ;;
    +[0-9] | +[0-9][0-9] | +[0-9][0-9][0-9] | +[0-9][0-9][0-9][0-9]) when=\${word#+} ;;
    *) [ -n "$when" ] || { echo "Failed to parse time specification: $word" >&2; exit 1; } ;;
  esac
done
ask() {
  printf '%s\\n' "$what" > "$power/.$id.$$" && mv "$power/.$id.$$" "$power/$id"
}
# As the real one, which waits a minute where no time is given.
when=\${when:-1}
[ "$when" -eq 0 ] && { ask; exit; }
( trap '' HUP; sleep $((when * 60)); ask ) </dev/null >/dev/null 2>&1 &
echo $! > "$pending"
`;

export const sudo = `#!/bin/sh
# On a machine of the sandbox cloud everybody is root already.
while :; do
  case \${1-} in
    -u | -g | -h | -p) shift 2 ;;
    --) shift; break ;;
    -*) shift ;;
    *) break ;;
  esac
done
[ $# -gt 0 ] || { echo 'usage: sudo command [argument ...]' >&2; exit 1; }
exec env "$@"
`;

export const who = (loginsFile: string): string => `#!/bin/sh
# Who is logged in on this machine of the sandbox cloud: as many as its control API was told.
count=$(cat ${quoted(loginsFile)} 2>/dev/null) || count=0
number=0
while [ "$number" -lt "$count" ]; do
  echo "ec2-user pts/$number        2026-01-01 09:00 (203.0.113.$((number % 250 + 1)))"
  number=$((number + 1))
done
`;

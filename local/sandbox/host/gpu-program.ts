// The nvidia-smi of a host: a POSIX shell program that answers the queries of the real one from a state file.
import { quoted } from './programs.ts';

export const nvidiaSmi = (stateFile: string): string => `#!/bin/sh
# Answers as nvidia-smi does about the GPUs of this machine of the sandbox cloud.
state=${quoted(stateFile)}
mode=$(sed -n 's/^mode //p' "$state") || exit 1
case $mode in
  hang) trap '' HUP INT TERM; while :; do sleep 1; done ;;
  garbage) printf '\\001\\377 NVIDIA-SMI ??? , [N/A], %%\\n, , ,\\n'; exit 0 ;;
  error)
    echo 'Failed to initialize NVML: Driver/library version mismatch'
    echo 'NVML library version: 535.161'
    exit 9 ;;
esac

kind= fields= header=1 units=1 only=
while [ $# -gt 0 ]; do
  case $1 in
    --query-gpu=*) kind=gpu fields=\${1#*=} ;;
    --query-compute-apps=*) kind=app fields=\${1#*=} ;;
    --format=*)
      case ,\${1#*=}, in *,csv,*) ;; *) echo '"--format=" switch is missing "csv"'; exit 2 ;; esac
      case ,\${1#*=}, in *,noheader,*) header= ;; esac
      case ,\${1#*=}, in *,nounits,*) units= ;; esac ;;
    -i | --id) only=\${2-}; shift ;;
    --id=* | -i=*) only=\${1#*=} ;;
    -L | --list-gpus) kind=list ;;
    *) echo "Invalid combination of input arguments. Please run 'nvidia-smi -h' for help."; exit 1 ;;
  esac
  shift
done

# Sets the value, the unit behind it and the unit in a header of one column.
column() {
  unit= head=
  case $kind.$1 in
    gpu.index) value=$index ;;
    gpu.count) value=$count ;;
    gpu.name | gpu.gpu_name | app.gpu_name) value=$name ;;
    gpu.uuid | gpu.gpu_uuid | app.gpu_uuid) value=GPU-00000000-0000-0000-0000-00000000000$index ;;
    gpu.utilization.gpu) value=$use unit=' %' head=' [%]' ;;
    gpu.utilization.memory) value=$((used * 100 / total)) unit=' %' head=' [%]' ;;
    gpu.memory.used) value=$used unit=' MiB' head=' [MiB]' ;;
    gpu.memory.total) value=$total unit=' MiB' head=' [MiB]' ;;
    gpu.memory.free) value=$((total - used)) unit=' MiB' head=' [MiB]' ;;
    gpu.temperature.gpu) value=45 ;;
    gpu.power.draw) value=60.00 unit=' W' head=' [W]' ;;
    gpu.driver_version) value=535.161.08 ;;
    app.pid) value=$pid ;;
    app.process_name | app.name) value=$program ;;
    app.used_memory | app.used_gpu_memory) value=$held unit=' MiB' head=' [MiB]' ;;
    *) printf 'Field "%s" is not a valid field to query.' "$1"; exit 2 ;;
  esac
}

# One line, of names or of values.
line() {
  text=
  rest=$fields,
  while [ -n "$rest" ]; do
    field=\${rest%%,*} rest=\${rest#*,}
    field=\${field# }
    column "$field"
    if [ "$1" = names ]; then value=$field$head; elif [ -n "$units" ]; then value=$value$unit; fi
    text=$text\${text:+, }$value
  done
  printf '%s\\n' "$text"
}

index=0 name= use=0 used=0 total=1 pid=0 program= held=0
count=$(grep -c '^gpu|' "$state")
case $kind in gpu | app)
  names=$(line names) || { printf '%s\\n\\n' "$names"; exit 2; }
  [ -n "$header" ] && echo "$names" ;;
esac
while IFS='|' read -r what one two three four five; do
  case $what in
    gpu)
      index=$one name=$two use=$three used=$four total=$five
      [ "$index" = 0 ] && first=$two
      [ -z "$only" ] || [ "$only" = "$index" ] || continue
      case $kind in
        gpu) line values ;;
        list) echo "GPU $index: $name (UUID: GPU-00000000-0000-0000-0000-00000000000$index)" ;;
        '') echo "| $index  $name | $used MiB / $total MiB | $use % |" ;;
      esac ;;
    app)
      [ "$kind" = app ] || continue
      pid=$one program=$two held=$three index=0 name=$first
      line values ;;
  esac
done < "$state"
exit 0
`;

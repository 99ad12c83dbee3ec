// Makes the work folder of a member, so that its first command does not fail for the lack of it.

const SCRIPT =
  'IFS= read -r folder && folder=$(printf %s "$folder" | base64 -d) && mkdir -p -- "$folder" && cd -- "$folder"';

/** The folder goes over standard input, since its name may hold anything. */
export function workFolderCommand(folder: string): { readonly command: string; readonly stdin: string } {
  return { command: `sh -c '${SCRIPT}'`, stdin: `${Buffer.from(folder).toString('base64')}\n` };
}

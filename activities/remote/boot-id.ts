// Reads which boot a machine is in: an id that the kernel makes anew at every start.

/** The variable stands for the kernel's file on machines that are none of their own. */
export const BOOT_ID_COMMAND = 'cat "${FERMATA_BOOT_ID_FILE:-/proc/sys/kernel/random/boot_id}"';

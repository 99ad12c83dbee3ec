// Column types that more than one set of tables uses.
import { customType, timestamp } from 'drizzle-orm/pg-core';

/** A point in time, cut to the millisecond that JavaScript can carry. */
export const time = (name: string) => timestamp(name, { withTimezone: true, precision: 3, mode: 'date' });

export const bytes = customType<{ data: Buffer; driverData: Buffer }>({ dataType: () => 'bytea' });

// Column types that more than one set of tables uses.
import { customType, timestamp } from 'drizzle-orm/pg-core';
import { allStorable, storable } from '../domain/text.ts';

/** A point in time, cut to the millisecond that JavaScript can carry. */
export const time = (name: string) => timestamp(name, { withTimezone: true, precision: 3, mode: 'date' });

/** JSON of any values; what no text of PostgreSQL can hold is left out, so that no row is refused for what a machine printed. */
export const jsonb = customType<{ data: unknown; driverData: unknown }>({
  dataType: () => 'jsonb',
  toDriver: (value) => JSON.stringify(allStorable(value)),
});

/** Text that a machine or a cloud may have had its words in; what cannot be held is left out. */
export const words = customType<{ data: string }>({ dataType: () => 'text', toDriver: storable });

export const bytes = customType<{ data: Buffer; driverData: Buffer }>({ dataType: () => 'bytea' });

// Tells drizzle-kit where the tables are and where `npm run db:generate` writes the migrations.
import { defineConfig } from 'drizzle-kit';

export default defineConfig({
  dialect: 'postgresql',
  schema: ['./store/schema.ts', './store/member-schema.ts', './store/job-schema.ts'],
  out: './store/migrations',
});

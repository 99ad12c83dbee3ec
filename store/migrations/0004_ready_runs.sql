ALTER TABLE "ready_runs" ADD COLUMN "failures" integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "ready_runs" ADD COLUMN "secrets" jsonb DEFAULT '{}'::jsonb NOT NULL;
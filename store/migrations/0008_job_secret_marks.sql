ALTER TABLE "jobs" ADD COLUMN "ran_before_s" double precision DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "jobs" ADD COLUMN "secret_marks" jsonb DEFAULT '{}'::jsonb NOT NULL;
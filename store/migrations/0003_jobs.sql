CREATE TABLE "job_events" (
	"id" bigserial PRIMARY KEY NOT NULL,
	"tenant" text NOT NULL,
	"job_id" text NOT NULL,
	"at" timestamp (3) with time zone NOT NULL,
	"by" text NOT NULL,
	"state" text NOT NULL,
	"says" text NOT NULL,
	"detail" jsonb NOT NULL
);
--> statement-breakpoint
CREATE TABLE "job_log" (
	"job_id" text NOT NULL,
	"from_byte" bigint NOT NULL,
	"bytes" "bytea" NOT NULL,
	CONSTRAINT "job_log_job_id_from_byte_pk" PRIMARY KEY("job_id","from_byte")
);
--> statement-breakpoint
CREATE TABLE "jobs" (
	"id" text PRIMARY KEY NOT NULL,
	"position" bigserial NOT NULL,
	"tenant" text NOT NULL,
	"member_id" text NOT NULL,
	"task_id" text NOT NULL,
	"started_by" text NOT NULL,
	"spec" jsonb NOT NULL,
	"priority" integer NOT NULL,
	"state" text NOT NULL,
	"reason" text,
	"run_id" text DEFAULT '' NOT NULL,
	"generation" integer DEFAULT 0 NOT NULL,
	"attempt" integer DEFAULT 0 NOT NULL,
	"retries_before" integer DEFAULT 0 NOT NULL,
	"runner_lost" boolean DEFAULT false NOT NULL,
	"attempts" jsonb DEFAULT '[]'::jsonb NOT NULL,
	"exit_code" integer,
	"created_at" timestamp (3) with time zone NOT NULL,
	"started_at" timestamp (3) with time zone,
	"updated_at" timestamp (3) with time zone NOT NULL,
	"ended_at" timestamp (3) with time zone,
	"heartbeat_at" timestamp (3) with time zone,
	"looked_at" timestamp (3) with time zone,
	"boot_id" text,
	"command_alive" boolean,
	"checkpoint_at" timestamp (3) with time zone,
	"checkpoint_bytes" bigint,
	"sights" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"log_bytes" bigint DEFAULT 0 NOT NULL,
	"log_base" bigint DEFAULT 0 NOT NULL,
	"cancel_requested_by" text,
	"cancel_requested_at" timestamp (3) with time zone,
	"checkpoint_requested_by" text,
	"checkpoint_requested_at" timestamp (3) with time zone,
	"yielded_to" text,
	"called_at" timestamp (3) with time zone,
	"artifacts_task_id" text,
	"stop_task_id" text,
	"cleaned_at" timestamp (3) with time zone
);
--> statement-breakpoint
CREATE INDEX "job_events_by_job" ON "job_events" USING btree ("job_id","id");--> statement-breakpoint
CREATE INDEX "jobs_by_position" ON "jobs" USING btree ("tenant","position");--> statement-breakpoint
CREATE INDEX "jobs_by_member" ON "jobs" USING btree ("member_id","position");--> statement-breakpoint
CREATE INDEX "jobs_live" ON "jobs" USING btree ("member_id","state") WHERE ended_at is null;--> statement-breakpoint
CREATE INDEX "jobs_to_clean" ON "jobs" USING btree ("member_id") WHERE ended_at is not null and cleaned_at is null;
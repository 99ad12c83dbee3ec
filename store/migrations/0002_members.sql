CREATE TABLE "blob_parts" (
	"blob_id" text NOT NULL,
	"part" integer NOT NULL,
	"bytes" "bytea" NOT NULL,
	CONSTRAINT "blob_parts_blob_id_part_pk" PRIMARY KEY("blob_id","part")
);
--> statement-breakpoint
CREATE TABLE "blobs" (
	"id" text PRIMARY KEY NOT NULL,
	"tenant" text NOT NULL,
	"size_bytes" integer NOT NULL,
	"sha256" text NOT NULL,
	"created_at" timestamp (3) with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "findings" (
	"kind" text NOT NULL,
	"subject" text NOT NULL,
	"tenant" text NOT NULL,
	"says" text NOT NULL,
	"first_seen_at" timestamp (3) with time zone NOT NULL,
	"last_seen_at" timestamp (3) with time zone NOT NULL,
	"resolved_at" timestamp (3) with time zone,
	CONSTRAINT "findings_kind_subject_pk" PRIMARY KEY("kind","subject")
);
--> statement-breakpoint
CREATE TABLE "machine_time" (
	"id" bigserial PRIMARY KEY NOT NULL,
	"member_id" text NOT NULL,
	"state" text NOT NULL,
	"instance_type" text NOT NULL,
	"usd_per_hour" double precision,
	"from_at" timestamp (3) with time zone NOT NULL,
	"to_at" timestamp (3) with time zone
);
--> statement-breakpoint
CREATE TABLE "member_events" (
	"id" bigserial PRIMARY KEY NOT NULL,
	"tenant" text NOT NULL,
	"member_id" text NOT NULL,
	"at" timestamp (3) with time zone NOT NULL,
	"by" text NOT NULL,
	"kind" text NOT NULL,
	"says" text NOT NULL,
	"detail" jsonb NOT NULL
);
--> statement-breakpoint
CREATE TABLE "members" (
	"id" text PRIMARY KEY NOT NULL,
	"tenant" text NOT NULL,
	"name_key" text NOT NULL,
	"target" text NOT NULL,
	"settings" jsonb NOT NULL,
	"registered_by" text NOT NULL,
	"registered_at" timestamp (3) with time zone NOT NULL,
	"updated_at" timestamp (3) with time zone NOT NULL,
	"state" text,
	"address" text,
	"instance_type" text,
	"launched_at" timestamp (3) with time zone,
	"observed_at" timestamp (3) with time zone,
	"host_keys" jsonb DEFAULT '[]'::jsonb NOT NULL,
	"host_key_source" text,
	"ready_boot_id" text,
	"ready_at" timestamp (3) with time zone,
	"ready_note" text,
	"clocks" jsonb,
	"last_use_at" timestamp (3) with time zone,
	"snoozed_until" timestamp (3) with time zone,
	"idle_since" timestamp (3) with time zone,
	"stop_at" timestamp (3) with time zone,
	"stop_task_id" text,
	"stop_asked_at" timestamp (3) with time zone,
	"probe_due_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"gpu_percent" double precision,
	"probed_at" timestamp (3) with time zone
);
--> statement-breakpoint
CREATE TABLE "ready_runs" (
	"member_id" text NOT NULL,
	"name" text NOT NULL,
	"digest" text NOT NULL,
	"boot_id" text NOT NULL,
	"ok" boolean NOT NULL,
	"at" timestamp (3) with time zone NOT NULL,
	"attempts" integer NOT NULL,
	"duration_ms" integer NOT NULL,
	"exit_code" integer,
	"output" text NOT NULL,
	"renew_at" timestamp (3) with time zone,
	CONSTRAINT "ready_runs_member_id_name_pk" PRIMARY KEY("member_id","name")
);
--> statement-breakpoint
CREATE TABLE "verdicts" (
	"id" bigserial PRIMARY KEY NOT NULL,
	"member_id" text NOT NULL,
	"at" timestamp (3) with time zone NOT NULL,
	"verdict" text NOT NULL,
	"next" text NOT NULL,
	"reasons" jsonb NOT NULL,
	"inputs" jsonb NOT NULL
);
--> statement-breakpoint
CREATE INDEX "machine_time_by_member" ON "machine_time" USING btree ("member_id","from_at");--> statement-breakpoint
CREATE UNIQUE INDEX "machine_time_open" ON "machine_time" USING btree ("member_id") WHERE to_at is null;--> statement-breakpoint
CREATE INDEX "member_events_by_member" ON "member_events" USING btree ("member_id","id");--> statement-breakpoint
CREATE UNIQUE INDEX "members_by_name" ON "members" USING btree ("tenant","name_key");--> statement-breakpoint
CREATE UNIQUE INDEX "members_by_target" ON "members" USING btree ("target");--> statement-breakpoint
CREATE INDEX "members_by_due" ON "members" USING btree ("probe_due_at");--> statement-breakpoint
CREATE INDEX "members_by_instance" ON "members" USING btree ((settings->'cloud'->>'instanceId'));--> statement-breakpoint
CREATE INDEX "verdicts_by_member" ON "verdicts" USING btree ("member_id","id");
CREATE TABLE "events" (
	"id" bigserial PRIMARY KEY NOT NULL,
	"tenant" text NOT NULL,
	"task_id" text NOT NULL,
	"seq" integer NOT NULL,
	"at" timestamp (3) with time zone NOT NULL,
	"by" text NOT NULL,
	"from_status" text,
	"to_status" text NOT NULL,
	"phase" text NOT NULL,
	"reason" text,
	"detail" jsonb NOT NULL
);
--> statement-breakpoint
CREATE TABLE "leases" (
	"target" text NOT NULL,
	"holder" text NOT NULL,
	"mode" text NOT NULL,
	"fence" bigserial NOT NULL,
	"holder_run_id" text NOT NULL,
	"taken_at" timestamp (3) with time zone NOT NULL,
	CONSTRAINT "leases_target_holder_pk" PRIMARY KEY("target","holder")
);
--> statement-breakpoint
CREATE TABLE "seals" (
	"tenant" text NOT NULL,
	"position" bigint NOT NULL,
	"event_id" bigint NOT NULL,
	"task_id" text NOT NULL,
	"seq" integer NOT NULL,
	"hash" text NOT NULL,
	CONSTRAINT "seals_tenant_position_pk" PRIMARY KEY("tenant","position")
);
--> statement-breakpoint
CREATE TABLE "step_marks" (
	"task_id" text NOT NULL,
	"step_id" text NOT NULL,
	"marked_at" timestamp (3) with time zone NOT NULL,
	"answered_at" timestamp (3) with time zone,
	CONSTRAINT "step_marks_task_id_step_id_pk" PRIMARY KEY("task_id","step_id")
);
--> statement-breakpoint
CREATE TABLE "tasks" (
	"id" text PRIMARY KEY NOT NULL,
	"position" bigserial NOT NULL,
	"tenant" text NOT NULL,
	"operation" text NOT NULL,
	"resource" text NOT NULL,
	"params" jsonb NOT NULL,
	"fingerprint" text,
	"requested_by" text NOT NULL,
	"risk" text NOT NULL,
	"effect" text NOT NULL,
	"status" text NOT NULL,
	"phase" text NOT NULL,
	"reason" text,
	"terms" jsonb,
	"plan" jsonb,
	"plan_digest" text,
	"result" json,
	"error" text,
	"decided_by" text,
	"approved" boolean,
	"acknowledged" boolean DEFAULT false NOT NULL,
	"approve_by" timestamp (3) with time zone,
	"attempts" integer,
	"first_run_id" text,
	"last_seq" integer DEFAULT 0 NOT NULL,
	"stop_requested_at" timestamp (3) with time zone,
	"stop_requested_by" text,
	"undo_requested" boolean DEFAULT false NOT NULL,
	"checked_at" timestamp (3) with time zone DEFAULT now() NOT NULL,
	"created_at" timestamp (3) with time zone NOT NULL,
	"updated_at" timestamp (3) with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "unsealed" (
	"event_id" bigint PRIMARY KEY NOT NULL,
	"tenant" text NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX "events_by_task" ON "events" USING btree ("task_id","seq");--> statement-breakpoint
CREATE INDEX "leases_by_holder" ON "leases" USING btree ("holder");--> statement-breakpoint
CREATE UNIQUE INDEX "seals_by_event" ON "seals" USING btree ("event_id");--> statement-breakpoint
CREATE UNIQUE INDEX "tasks_by_position" ON "tasks" USING btree ("tenant","position");--> statement-breakpoint
CREATE INDEX "tasks_by_status" ON "tasks" USING btree ("tenant","status","position");--> statement-breakpoint
CREATE INDEX "tasks_by_operation" ON "tasks" USING btree ("tenant","operation","position");
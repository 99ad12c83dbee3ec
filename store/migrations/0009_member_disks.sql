ALTER TABLE "members" ADD COLUMN "disks" jsonb;--> statement-breakpoint
ALTER TABLE "members" ADD COLUMN "disks_seen_at" timestamp (3) with time zone;--> statement-breakpoint
ALTER TABLE "members" ADD COLUMN "disks_due_at" timestamp (3) with time zone DEFAULT now() NOT NULL;
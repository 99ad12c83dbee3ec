ALTER TABLE "members" ADD COLUMN "instance_id" text;--> statement-breakpoint
CREATE UNIQUE INDEX "members_one_an_instance" ON "members" USING btree ("tenant","instance_id");
-- An older release let one instance be two members of a tenant, told apart by the region that was said of it. Both stay, so
-- that this never fails: the one whose instance was seen keeps its id, else the first. The other one keeps its name, its
-- state and its history, but what is asked for by the instance's id is the first one's; one of them is to be removed.
UPDATE "members" SET "instance_id" = "kept"."instance_id" FROM (
	SELECT DISTINCT ON ("tenant", "settings"->'cloud'->>'instanceId') "id", "settings"->'cloud'->>'instanceId' AS "instance_id"
	FROM "members"
	WHERE "settings"->'cloud'->>'instanceId' IS NOT NULL
	ORDER BY "tenant", "settings"->'cloud'->>'instanceId', "observed_at" IS NULL, "registered_at", "id"
) "kept"
WHERE "members"."id" = "kept"."id";

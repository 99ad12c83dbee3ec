CREATE FUNCTION fermata_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'the table % is append-only', TG_TABLE_NAME;
END $$;
--> statement-breakpoint
CREATE TRIGGER events_append_only BEFORE UPDATE OR DELETE ON events
  FOR EACH ROW EXECUTE FUNCTION fermata_refuse_change();
--> statement-breakpoint
CREATE TRIGGER seals_append_only BEFORE UPDATE OR DELETE ON seals
  FOR EACH ROW EXECUTE FUNCTION fermata_refuse_change();
--> statement-breakpoint
CREATE TRIGGER events_not_truncated BEFORE TRUNCATE ON events
  FOR EACH STATEMENT EXECUTE FUNCTION fermata_refuse_change();
--> statement-breakpoint
CREATE TRIGGER seals_not_truncated BEFORE TRUNCATE ON seals
  FOR EACH STATEMENT EXECUTE FUNCTION fermata_refuse_change();
--> statement-breakpoint
CREATE FUNCTION fermata_queue_event() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO unsealed (event_id, tenant) VALUES (NEW.id, NEW.tenant);
  PERFORM pg_notify('fermata_unsealed', '');
  PERFORM pg_notify('fermata_task', NEW.task_id);
  RETURN NULL;
END $$;
--> statement-breakpoint
CREATE TRIGGER events_queue AFTER INSERT ON events
  FOR EACH ROW EXECUTE FUNCTION fermata_queue_event();

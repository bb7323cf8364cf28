-- How a replica ended that nobody asked to (the exit as JSON): the pauses of a worker that keeps crashing outlive a server.
ALTER TABLE replica ADD COLUMN exit TEXT;

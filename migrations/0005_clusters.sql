-- Clusters that an administrator added. What opens them is encrypted; the server's own is not here.
CREATE TABLE cluster (
    id          TEXT    PRIMARY KEY,
    name        TEXT    NOT NULL UNIQUE,
    -- Of jobs that name none; NULL: that of the kubeconfig.
    namespace   TEXT,
    -- Where its pods reach their queue; NULL: where those of the server's own cluster do.
    pods_listen TEXT,
    -- The kubeconfig, encrypted with id and name; NULL: the server is a pod of this cluster.
    sealed      BLOB,
    -- Milliseconds since 1970.
    changed_at  INTEGER NOT NULL,
    changed_by  TEXT    NOT NULL
) STRICT;

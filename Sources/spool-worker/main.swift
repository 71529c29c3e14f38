// spool-worker

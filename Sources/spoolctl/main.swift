// spoolctl

# Only this machine and those of the control room may delete.
package s3d

deletes := {"DeleteObject", "DeleteObjects", "DeleteBucket"}

allow := false if {
	input.operation in deletes
	not trusted
}

trusted if input.source_address in {"127.0.0.1", "::1"}

trusted if startswith(input.source_address, "10.20.30.")

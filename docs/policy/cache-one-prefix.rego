# Only maps are kept in the read cache.
package s3d

default cache := false

cache if {
	input.bucket == "charts"
	startswith(input.key, "maps/")
}

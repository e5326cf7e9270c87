# Alarms go first and stay in the cache, what is tagged as bulk goes last.
package s3d

alarm if startswith(input.key, "alarms/")

alarm if input.metadata.severity in {"high", "critical"}

bulk if input.tags["class"] == "bulk"

priority := 9 if alarm

priority := 1 if {
	bulk
	not alarm
}

pin if alarm

# Recordings are held until somebody has looked at them and set the tag release=yes.
package s3d

upload := false if {
	recording
	not released
}

upload if {
	recording
	released
}

recording if {
	input.bucket == "recordings"
	endswith(input.key, ".mp4")
}

released if input.tags.release == "yes"

# What is large is pushed between 22:00 and 06:00 of local time.
package s3d

upload if not large

upload if night

upload := false if {
	large
	not night
}

large if input.size > 10000000

hour := time.clock([input.time_ns, "Europe/Berlin"])[0]

night if hour >= 22

night if hour < 6

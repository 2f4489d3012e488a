package translate

var NotHonoured = notHonoured

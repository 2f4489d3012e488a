package spinnaker

import (
	"slices"

	"weft.dev/api/v1alpha1"
)

// kind converts one type of stage; keys are the fields that it knows.
type kind struct {
	keys    []string
	convert func(j *job, out *v1alpha1.Stage) error
}

// kinds are those that weft has a stage for.
var kinds = map[string]kind{
	"wait":               {[]string{"waitTime"}, wait},
	"manualJudgment":     {[]string{"instructions", "judgmentInputs", "selectedStageRoles", "requiredJudgmentRoles", "preventSelfApproval"}, judgment},
	"checkPreconditions": {[]string{"preconditions"}, check},
	"evaluateVariables":  {[]string{"variables"}, variables},
	"pipeline":           {[]string{"pipeline", "application", "pipelineApplication", "pipelineParameters", "waitForCompletion"}, runPipeline},
	"bakeManifest": {[]string{"templateRenderer", "inputArtifacts", "inputArtifact", "helmChartFilePath", "kustomizeFilePath", "outputName", "namespace", "includeCRDs",
		"overrides", "rawOverrides", "evaluateOverrideExpressions", "kubeVersion", "apiVersions"}, bakeManifest},
	"deployManifest": {append([]string{"source", "manifests", "manifestArtifactId", "namespaceOverride", "skipExpressionEvaluation", "trafficManagement",
		"requiredArtifactIds", "requiredArtifacts", "labelSelectors"}, targetKeys...), deployManifest},
	"scaleManifest":             {append([]string{"replicas"}, targetKeys...), scaleManifest},
	"deleteManifest":            {append([]string{"options"}, targetKeys...), deleteManifest},
	"rollingRestartManifest":    {targetKeys, restartManifest},
	"patchManifest":             {append([]string{"options", "source", "patchBody", "requiredArtifactIds", "requiredArtifacts", "skipExpressionEvaluation"}, targetKeys...), patchManifest},
	"enableManifest":            {targetKeys, enableManifest},
	"disableManifest":           {targetKeys, disableManifest},
	"undoRolloutManifest":       {append([]string{"numRevisionsBack"}, targetKeys...), undoRollout},
	"rollbackCluster":           {targetKeys, rollback},
	"deploy":                    {[]string{"clusters"}, serverGroups},
	"kayentaCanary":             {[]string{"analysisType", "canaryConfig"}, canary},
	"findArtifactFromExecution": {[]string{"pipeline", "application", "executionOptions", "expectedArtifacts", "expectedArtifact"}, findArtifact},
	"runJobManifest": {append([]string{"source", "manifest", "manifests", "consumeArtifactSource", "propertyFile", "requiredArtifactIds", "requiredArtifacts",
		"skipExpressionEvaluation", "application"}, targetKeys...), runJobManifest},
	"webhook": {[]string{"url", "method", "payload", "customHeaders", "waitForCompletion", "statusUrlResolution", "statusUrlJsonPath", "statusJsonPath",
		"successStatuses", "canceledStatuses", "terminalStatuses", "monitorOnly", "cancelEndpoint", "account"}, webhook},
}

// Fields of any stage that are converted, and those that mean nothing here.
var (
	commonKeys = []string{"type", "name", "refId", "requisiteStageRefIds", "continuePipeline", "failPipeline", "completeOtherBranchesThenFail",
		"stageEnabled", "overrideTimeout", "stageTimeoutMs", "restrictExecutionDuringTimeWindow", "restrictedExecutionWindow", "failOnFailedExpressions"}
	silentKeys = []string{"moniker", "relationships", "noOutput", "manifestArtifactAccount", "alias", "group", "isNew", "inherited", "comments", "cloudProvider", "cloudProviderType", "skipWaitText",
		"progressJsonPath", "statusEndpoint", "cancelMethod", "cancelPayload"}
	keptKeys = map[string]string{
		"notifications":                  "nobody is told",
		"expectedArtifacts":              "it makes no artifacts; what a bake gives are its outputs",
		"propagateAuthenticationContext": "what follows does not run as the person who judged",
		"waitBeforeMonitor":              "it is asked at once",
		"retryStatusCodes":               "such an answer fails it",
		"failFastStatusCodes":            "such an answer fails it no sooner than others",
	}
)

// instead says what to do where weft has no stage of a type.
var instead = map[string]string{
	"jenkins":                   "have a webhook stage start the build and ask for its end",
	"travis":                    "have a webhook stage start the build and ask for its end",
	"concourse":                 "have a webhook stage start the build and ask for its end",
	"googleCloudBuild":          "have a webhook stage start the build and ask for its end",
	"awsCodeBuild":              "have a webhook stage start the build and ask for its end",
	"script":                    "run it in a runJob stage",
	"runJob":                    "run it in a runJob stage, or by a webhook stage",
	"bake":                      "weft makes no images of machines: have CI make them, and a trigger start the run",
	"findImage":                 "name the image by a parameter, or find it with a findArtifact stage",
	"findImageFromTags":         "name the image by a parameter, or find it with a findArtifact stage",
	"resizeServerGroup":         "a scale stage does that for a version of an application",
	"enableServerGroup":         "an enable stage does that for a version that is named",
	"disableServerGroup":        "a disable stage does that for a version that is named",
	"destroyServerGroup":        "a delete stage does that for a version that is named",
	"shrinkCluster":             "a release ends the old version by itself",
	"scaleDownCluster":          "a release ends the old version by itself",
	"disableCluster":            "a disable stage does that for a version that is named",
	"findArtifactsFromResource": "weft puts no artifacts into manifests: name the image by a parameter",
}

// leftovers says which fields of the stage are not converted. None is lost: the
// export has them.
func (j *job) leftovers() {
	k, known := kinds[j.typ]
	if !known {
		return
	}
	for _, key := range sortedKeys(j.raw) {
		text, kept := keptKeys[key]
		switch {
		case slices.Contains(commonKeys, key), slices.Contains(k.keys, key), empty(j.raw[key]):
		case slices.Contains(silentKeys, key), key == "sendNotifications":
		case key == "notifications" && j.typ == "manualJudgment":
			if truth(j.raw["sendNotifications"], false) {
				j.note(Changed, key, "they are those of the pipeline, in spec.notify")
			}
		case kept:
			j.note(Changed, key, "%s", text)
		default:
			j.note(Ignored, key, "a %s stage has no such field", j.typ)
		}
	}
}

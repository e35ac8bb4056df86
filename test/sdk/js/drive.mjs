// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0
//
// drive.mjs runs the provider's SDKs against a server, and prints what came of each call as one JSON object:
//
//   node drive.mjs API_URL MEDIA_FILE MEDIA_URL
import { readFile } from "node:fs/promises";
import { createSpeechmaticsJWT } from "@speechmatics/auth";
import { BatchClient } from "@speechmatics/batch-client";
import legacy from "speechmatics";

const [apiUrl, mediaFile, mediaUrl] = process.argv.slice(2);
const content = new Blob([await readFile(mediaFile)]);
const media = { data: content, fileName: "talk.wav" };
const longMedia = { data: content, fileName: "long.wav" }; // the simulator has it run for a while

// outcome is what a call gave: its value, or its error.
async function outcome(call) {
  try {
    return { value: await call() };
  } catch (e) {
    if (!(e instanceof Error)) return { thrown: e };
    return { error: e.name, message: e.message, response: e.response };
  }
}

const transcription = (more) => ({ transcription_config: { language: "en", ...more } });
const everything = {
  ...transcription({ diarization: "speaker", speaker_diarization_config: { get_speakers: true }, enable_entities: true }),
  translation_config: { target_languages: ["de"] },
  summarization_config: {},
  sentiment_analysis_config: {},
  topic_detection_config: {},
  auto_chapters_config: {},
  audio_events_config: {},
  tracking: { title: "everything", reference: "r" },
};

// drive tries all methods of a client. wrong is the same client with a wrong key.
async function drive(client, wrong) {
  // Each transcription waits three seconds for its first look: all at once.
  const [json, text, srt, fetched, unexpected] = await Promise.all([
    outcome(() => client.transcribe(media, everything, "json-v2")),
    outcome(() => client.transcribe(media, transcription({ diarization: "speaker" }), "text")),
    outcome(() => client.transcribe(media, transcription(), "srt")),
    outcome(() => client.transcribe({ url: mediaUrl, auth_headers: ["Authorization: Bearer media"] }, transcription(), "text")),
    outcome(() => client.transcribe(media, {
      transcription_config: { language: "auto" }, language_identification_config: { expected_languages: ["fr"] },
    })),
  ]);
  const results = { json, text, srt, fetched, unexpected };
  results.slow = await outcome(() => client.createTranscriptionJob(longMedia, transcription()));
  const slow = results.slow.value?.id;
  results.running = await outcome(() => client.getJob(slow));
  results.notReady = await outcome(() => client.getJobResult(slow));
  results.locked = await outcome(() => client.deleteJob(slow));
  results.deleted = await outcome(() => client.deleteJob(slow, true));
  results.gone = await outcome(() => client.getJob(slow));
  results.list = await outcome(() => client.listJobs({ limit: 2 }));
  results.listAll = await outcome(() => client.listJobs({ include_deleted: true }));
  results.badConfig = await outcome(() => client.createTranscriptionJob(media, { transcription_config: { language: "zz" } }));
  results.data = await outcome(() => client.getDataFile(json.value?.job.id));
  results.discovery = await outcome(() => client.getFeatureDiscovery());
  results.unauthorized = await outcome(() => wrong.listJobs());
  return results;
}

const modern = (apiKey) => new BatchClient({ apiKey, apiUrl, appId: "sdk-test" });
const older = (apiKey) => new legacy.Speechmatics({ apiKey, batchUrl: apiUrl, appId: "sdk-test" }).batch;

async function temporaryKey() {
  const jwt = (more) => createSpeechmaticsJWT({ type: "batch", apiKey: "key", managementPlatformURL: `${apiUrl}/v1`, ...more });
  const key = await jwt({ clientRef: "ann", ttl: 60 });
  const created = await modern(key).createTranscriptionJob(media, transcription());
  return {
    key,
    own: await outcome(() => modern(key).listJobs()),
    created: created.id,
    badTTL: await outcome(() => jwt({ clientRef: "ann", ttl: 1 })),
    wrongKey: await outcome(() => jwt({ clientRef: "ann", apiKey: key })),
  };
}

const [batchClient, speechmatics, auth] = await Promise.all([
  drive(modern("key"), modern("wrong")), drive(older("key"), older("wrong")), temporaryKey(),
]);
console.log(JSON.stringify({ batchClient, speechmatics, auth }));
process.exit(0); // without waiting for idle connections

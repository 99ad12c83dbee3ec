// Health, readiness and the catalogue.
import { riskOf } from '../../domain/risk.ts';
import { CATALOGUE } from '../../operations/index.ts';
import type { Service } from '../../service/open.ts';
import { isReady } from '../../service/ready.ts';
import type { Routes } from '../routing.ts';

/** The version that callers of the contract know. */
export const VERSION = '0.1.0';

/** Paths and handlers. */
export function systemRoutes(service: Service): Routes {
  const { highRiskOperations } = service.policy.risk;
  return {
    '/health': {
      GET: (_request, response) => {
        response.json({ status: 'ok', version: VERSION, high_risk_operations: [...highRiskOperations].sort() });
      },
    },
    '/livez': {
      GET: (_request, response) => {
        response.json({ status: 'ok', version: VERSION, high_risk_operations: [...highRiskOperations].sort() });
      },
    },
    '/readyz': {
      GET: async (_request, response) => {
        const state = await isReady(service);
        response.status(state.ready ? 200 : 503).json(state);
      },
    },
    '/api/v1/operations': {
      GET: (_request, response) => {
        response.json(
          CATALOGUE.map(({ name, description, required }) => ({
            name,
            description,
            risk: riskOf(name, service.policy.risk),
            params: required,
          })),
        );
      },
    },
  };
}
